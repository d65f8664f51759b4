// Waiting for what is to happen, without a guess at how long it takes.

/** Waits until the function gives something, and gives it; fails after some seconds. */
export async function until(what, seconds = 10) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
        const value = await what();
        if (value) return value;
        if (Date.now() > deadline) throw new Error(`still waiting for ${what}`);
        await new Promise((done) => setTimeout(done, 10));
    }
}

/** A promise with its function: for callbacks that are called once. */
export function signal() {
    let resolve;
    const promise = new Promise((done) => (resolve = done));
    return Object.assign(promise, { resolve });
}
