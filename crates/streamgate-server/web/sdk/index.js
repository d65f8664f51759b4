/**
 * Streamgate's player SDK: takes a slot for a playback, keeps it, and says when it is lost.
 *
 * @packageDocumentation
 */
import { launch } from "./play.js";
export { attach } from "./attach.js";
export { LimitReachedError, StreamgateError } from "./errors.js";
/**
 * Takes a slot for a playback and keeps it until `stop()`. After a reload of the page, the session
 * of the page before passes its slot to this one.
 *
 * @throws {@link LimitReachedError} if every slot is taken; it says who is watching, and can take over
 * @throws {@link StreamgateError} for other refusals, and if the server cannot be reached and the
 *   fail mode is `closed`
 */
export function start(options) {
    return launch(options);
}
