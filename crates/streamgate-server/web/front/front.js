// The front page: which pages there are, the lines with this server's address, copy buttons.

import { ROOT, client } from "../shared/api.js";
import { byId, copyButton, frame, write } from "../shared/ui.js";

frame({ dark: "Use dark colours", light: "Use light colours" });

for (const origin of document.querySelectorAll(".origin")) write(origin, ROOT.replace(/\/$/, ""));

for (const code of document.querySelectorAll(".code")) {
    const line = code.querySelector("pre")?.textContent ?? "";
    code.append(
        copyButton(() => line, {
            copy: "Copy this line",
            copied: "Copied",
            failed: "The browser does not allow copying here. Select the line instead.",
        }),
    );
}

/** Shows what belongs to a page that this server has. */
const show = (/** @type {string} */ kind) => {
    for (const element of document.querySelectorAll(`.${kind}`)) element.removeAttribute("hidden");
};

// Without an answer the page is what it was: links to what every server has.
const about = await client()
    .get(ROOT)
    .catch(() => ({}));
write(byId("version", HTMLElement), about.version ?? "");
if (about.demo) show("when-demo");
if (about.console) show("when-console");
