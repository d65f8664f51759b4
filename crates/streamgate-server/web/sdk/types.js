// The types that callers see: what a start takes, and what a session tells.
//
// What is not here: errors (errors.ts) and what a video element adds (attach.ts).
export {};
