// The events of a page that a session reacts to. Outside of browsers there are none.
const EVENTS = ["online", "resume", "visibilitychange", "pagehide", "pageshow"];
/** Calls the handler until the returned function is called. */
export function watchPage(handler) {
    if (typeof document == "undefined")
        return () => { };
    const listener = ({ type, persisted }) => {
        if (type == "pagehide")
            handler.leave();
        else if (type != "pageshow")
            handler.wake();
        else if (persisted)
            handler.back();
    };
    // Those of the document pass through the window before they reach it.
    for (const name of EVENTS)
        addEventListener(name, listener, true);
    return () => {
        for (const name of EVENTS)
            removeEventListener(name, listener, true);
    };
}
