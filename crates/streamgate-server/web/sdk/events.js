// Server-sent events over fetch: `EventSource` cannot send an Authorization header.
//
// What is not here: opening a stream, and what its events mean (play.ts).
/** Reads an event stream to its end. */
export async function readEvents(body, to) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let name = "";
    let data = "";
    for (;;) {
        const { done, value } = await reader.read();
        if (done)
            return;
        to.onLife();
        // A chunk may end within a line.
        const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/);
        rest = lines.pop();
        for (const line of lines) {
            const [, field, text] = /^(\w*):? ?(.*)/.exec(line);
            if (!line) {
                if (name)
                    to.onEvent(name, data);
                name = data = "";
            }
            else if (field == "event")
                name = text;
            else if (field == "data")
                data += text;
            else if (field == "retry")
                to.onDelay(Number(text) || 0);
        }
    }
}
