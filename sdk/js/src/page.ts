// The events of a page that a session reacts to. Outside of browsers there are none.

/** What happens to a page. */
export interface PageHandler {
    /** The page may have slept: it is shown, thawed, or online again. */
    wake(): void;
    /** The page is being left: closed, reloaded, or put into the back/forward cache. */
    leave(): void;
    /** The page is back from that cache, as it was. */
    back(): void;
}

const EVENTS = ["online", "resume", "visibilitychange", "pagehide", "pageshow"];

/** Calls the handler until the returned function is called. */
export function watchPage(handler: PageHandler): () => void {
    if (typeof document == "undefined") return () => {};
    const listener = ({ type, persisted }: any) => {
        if (type == "pagehide") handler.leave();
        else if (type != "pageshow") handler.wake();
        else if (persisted) handler.back();
    };
    // Those of the document pass through the window before they reach it.
    for (const name of EVENTS) addEventListener(name, listener, true);
    return () => {
        for (const name of EVENTS) removeEventListener(name, listener, true);
    };
}
