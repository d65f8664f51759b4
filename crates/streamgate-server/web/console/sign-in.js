// The view of somebody who is not signed in yet.

import { copyButton, h } from "../shared/ui.js";
import { formError, head, onSubmit } from "./parts.js";
import { signIn } from "./session.js";
import { texts } from "./texts.js";

const T = texts.signIn;

/**
 * @param {string} why what to say at first: why the last credential is not accepted any more
 * @param {(session: import("./session.js").Session, credential: string) => void} onSignedIn
 */
export function signInView(why, onSignedIn) {
    const names = { id: "credential", name: "credential", "aria-describedby": "credential-hint" };
    const kind = { type: "password", autocomplete: "off", spellcheck: "false" };
    const input = h("input", { ...names, ...kind });
    const error = formError();
    error.textContent = why;
    const form = h(
        "form",
        { class: "stack", novalidate: true },
        h(
            "div",
            { class: "field" },
            h("label", { for: "credential" }, T.credential),
            input,
            h("p", { class: "hint", id: "credential-hint" }, T.hint),
        ),
        error,
        h("button", { class: "button primary large" }, T.submit),
    );
    onSubmit(form, async () => {
        const credential = input.value.trim();
        try {
            if (!credential) throw new Error(T.empty);
            onSignedIn(await signIn(credential), credential);
        } catch (failed) {
            input.setAttribute("aria-invalid", "true");
            input.focus();
            throw failed;
        }
    });
    const labels = { copy: T.copy, copied: T.copied, failed: T.notCopied };
    const command = h(
        "div",
        { class: "code" },
        h("pre", { class: "wrap" }, T.command),
        copyButton(() => T.command, labels),
    );
    const how = h("div", { class: "stack small muted" }, h("p", {}, T.makeKey), command);
    const card = h("div", { class: "card sign-in" }, form, how);
    return { title: T.title, element: h("div", { class: "view narrow" }, head(T.title, T.intro), card) };
}
