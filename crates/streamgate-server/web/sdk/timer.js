// A tick a second, also in a hidden tab: browsers slow down timers of hidden pages, to one a
// minute after five minutes, and leave those of workers alone.
const TICK_MS = 1000;
/** What worker.ts does, for pages that may make a worker from a `blob:` URL. */
const INLINE = `setInterval(postMessage,${TICK_MS},0)`;
/**
 * Calls `tick` each second until the returned function is called. The page's own timer ticks until
 * the worker does, so that a worker that a Content-Security-Policy forbids is not missed.
 */
export function everySecond(tick, worker) {
    const timer = setInterval(tick, TICK_MS);
    let thread;
    let blob = "";
    try {
        if (worker !== false && typeof Worker == "function") {
            if (!worker)
                blob = URL.createObjectURL(new Blob([INLINE]));
            thread = new Worker(worker || blob);
            thread.onmessage = () => {
                clearInterval(timer);
                tick();
            };
            // Handled: a browser would report it as an error of the page.
            thread.onerror = (event) => event.preventDefault?.();
        }
    }
    catch {
        // No worker from another origin.
    }
    return () => {
        clearInterval(timer);
        thread?.terminate();
        if (blob)
            URL.revokeObjectURL(blob);
    };
}
