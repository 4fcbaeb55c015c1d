/** `gpu=a100 zone=lab` */
export const readLabels = (text: string): { key: string; value: string }[] =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((label) => {
      const [key = '', ...value] = label.split('=');
      return { key, value: value.join('=') };
    });
