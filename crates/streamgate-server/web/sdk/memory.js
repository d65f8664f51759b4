// What is remembered from one page to the next: which slot a reload goes on with, and the fail mode.
//
// A session is remembered by the page that is being left, and forgotten by the next one that starts.
// While it plays nothing is stored, because a browser copies the storage of a tab that is
// duplicated, and two tabs must not share a slot.
const PREFIX = "streamgate:";
/** Reads an entry; with a value, writes it. Storage may be denied, full, or absent. */
function entry(kind, key, value) {
    try {
        // Node has a localStorage that warns.
        const storage = typeof document == "undefined" ? undefined : globalThis[kind];
        if (value != undefined)
            storage?.setItem(PREFIX + key, value);
        return storage?.getItem(PREFIX + key) || "";
    }
    catch {
        return "";
    }
}
/** Remembers the session of a page that is being left. `path` names the server and the user. */
export function remember(path, id) {
    entry("sessionStorage", path, `${entry("sessionStorage", path)} ${id}`.trim());
}
/** The session that this tab left, once. */
export function recall(path) {
    const [id, ...others] = entry("sessionStorage", path).split(" ");
    if (id)
        entry("sessionStorage", path, others.join(" "));
    return id || undefined;
}
/** What a server announced when it was last asked, or now announces. */
export function failMode(url, announced) {
    return entry("localStorage", url, announced);
}
