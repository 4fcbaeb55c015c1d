/** A subscription with a condition on its only field, which is refused: it could select nothing. */
export const conditions = (
  [
    ['a variable that is not given', '($b: Boolean!) { jobsUpdated @include(if: $b) { id } }', {}],
    ['a variable that says yes', '($b: Boolean!) { jobsUpdated @include(if: $b) { id } }', { b: true }],
    ['a variable that says no', '($b: Boolean! = false) { jobsUpdated @include(if: $b) { id } }', {}],
    ['a plain no', ' { jobsUpdated @include(if: false) { id } }', {}],
    ['@skip', ' { jobsUpdated @skip(if: true) { id } }', {}],
    ['an inline fragment', '($b: Boolean!) { ... @include(if: $b) { jobsUpdated { id } } }', { b: false }],
    ['a fragment', '($b: Boolean!) { ...F @skip(if: $b) } fragment F on Subscription { jobsUpdated { id } }', { b: true }],
    ['a field within a fragment', '($b: Boolean!) { ...F } fragment F on Subscription { jobsUpdated @skip(if: $b) { id } }', { b: true }],
  ] as const
).map(([by, rest, variables]) => ({
  name: `a subscription under the condition of ${by}`,
  query: `subscription${rest}`,
  variables,
  outcome: 'BAD_REQUEST' as const,
}));
