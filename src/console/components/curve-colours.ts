/** How many colours theme.css has for curves. */
export const CURVE_COLOURS = 12;

/** The colour of the curve at this index, as a number of theme.css: 1 to 12. */
export const colourOf = (index: number): number => (index % CURVE_COLOURS) + 1;
