/**
 * The service cannot be asked, does not answer, or failed at it: what `onFailure` is for. Nothing else is: whatever a
 * client could bring about at will would be its way in.
 */
export class NoAnswerError extends Error {}
