// Which tabs hold an event stream. Over HTTP/1.1 a browser opens six connections to a server, for all
// of its tabs together, and a held stream occupies one: with too many, no call would get through.

/** How many tabs hold one: a console and two calls at a time still find a connection. */
const PERMITS = 3;

/**
 * Whether this tab may hold a stream; it then may until it is closed. The others send heartbeats, and
 * hear of an ending at the next one.
 *
 * @returns {Promise<boolean>}
 */
export async function streamPermit() {
    // Only pages over https and of this machine have locks; over http from elsewhere tabs are rare.
    if (!navigator.locks) return true;
    for (let permit = 0; permit < PERMITS; permit++) {
        if (await taken(`streamgate-demo:stream-${permit}`)) return true;
    }
    return false;
}

/**
 * Takes a lock for as long as this page lives, if it is free.
 *
 * @param {string} name
 * @returns {Promise<boolean>}
 */
function taken(name) {
    return new Promise((resolve) => {
        void navigator.locks.request(name, { ifAvailable: true }, (lock) => {
            resolve(!!lock);
            return lock ? new Promise(() => {}) : undefined;
        });
    });
}
