// Chromium, spoken to by the DevTools protocol over a pipe. Without a test framework, because those
// keep every page focused: no tab would ever be hidden.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
    "--headless=new",
    // Tests may run as root, which Chromium's sandbox refuses.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-pipe",
];

export class Browser {
    #child;
    #waiting = new Map();
    #listeners = new Map();
    #last = 0;

    /** Starts a browser that ends with the test; with the file, for `{ after }`. */
    static async launch(test) {
        const browser = new Browser();
        const dir = await mkdtemp(join(tmpdir(), "chromium-"));
        const child = spawn("chromium", [...FLAGS, `--user-data-dir=${dir}`, "about:blank"], {
            stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
        });
        browser.#child = child;
        test.after(async () => {
            child.kill("SIGKILL");
            await once(child, "exit");
            // Its own processes may still write there.
            await rm(dir, { recursive: true, maxRetries: 9, retryDelay: 200 });
        });
        let rest = "";
        child.stdio[4].setEncoding("utf8").on("data", (text) => {
            const messages = (rest + text).split("\0");
            rest = messages.pop();
            for (const message of messages) browser.#receive(JSON.parse(message));
        });
        return browser;
    }

    #receive({ id, sessionId, method, params, result, error }) {
        if (!id) return this.#listeners.get(sessionId)?.(method, params);
        const { resolve, reject, sent } = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (error) reject(new Error(`${sent}: ${error.message}`));
        else resolve(result);
    }

    /** Sends a command, to a page or to the browser. */
    send(method, params = {}, sessionId) {
        const id = ++this.#last;
        this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
        return new Promise((resolve, reject) => {
            this.#waiting.set(id, { resolve, reject, sent: method });
        });
    }

    /**
     * Opens a tab, and waits until its page has loaded. In a window of its own a tab is shown, whatever
     * other tabs do.
     */
    async open(url, { newWindow = false } = {}) {
        const { targetId } = await this.send("Target.createTarget", { url: "about:blank", newWindow });
        const attach = { targetId, flatten: true };
        const { sessionId } = await this.send("Target.attachToTarget", attach);
        const page = new Page(this, targetId, sessionId);
        this.#listeners.set(sessionId, (method, params) => page.hear(method, params));
        for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
        await page.go(url);
        return page;
    }
}

/** A tab. */
export class Page {
    /** What the page did wrong: errors, violations of its policy. */
    complaints = [];
    /** The hosts that it sent requests to. */
    hosts = new Set();
    #browser;
    #target;
    #session;
    #loaded = () => {};

    constructor(browser, target, session) {
        this.#browser = browser;
        this.#target = target;
        this.#session = session;
    }

    send(method, params) {
        return this.#browser.send(method, params, this.#session);
    }

    hear(method, params) {
        if (method == "Page.loadEventFired") this.#loaded();
        if (method == "Network.requestWillBeSent") {
            if (/^http/.test(params.request.url)) this.hosts.add(new URL(params.request.url).host);
        }
        if (method == "Runtime.exceptionThrown") {
            const { text, exception } = params.exceptionDetails;
            this.complaints.push(`${text} ${exception?.description ?? ""}`);
        }
        if (method == "Runtime.consoleAPICalled" && params.type == "error") {
            this.complaints.push(params.args.map(({ value, description }) => value ?? description).join(" "));
        }
        // A refusal (409) is an answer, which a browser calls a failed load of source "network".
        const entry = method == "Log.entryAdded" ? params.entry : {};
        if (entry.level == "error" && entry.source != "network") {
            this.complaints.push(`${entry.text} ${entry.url ?? ""}`);
        }
    }

    async #load(method, params) {
        const loaded = new Promise((done) => (this.#loaded = done));
        await this.send(method, params);
        await loaded;
    }

    go(url) {
        return this.#load("Page.navigate", { url });
    }

    reload() {
        return this.#load("Page.reload");
    }

    /** The value of an expression, awaited. */
    async run(expression) {
        const options = { expression, awaitPromise: true, returnByValue: true };
        const { result, exceptionDetails } = await this.send("Runtime.evaluate", options);
        if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
        return result.value;
    }

    /** Shows this tab, which hides the others. */
    show() {
        return this.#browser.send("Target.activateTarget", { targetId: this.#target });
    }

    /** Minimises its window, which hides it, or shows it again: `"normal"`. */
    async setWindow(windowState) {
        const { windowId } = await this.#browser.send("Browser.getWindowForTarget", { targetId: this.#target });
        await this.#browser.send("Browser.setWindowBounds", { windowId, bounds: { windowState } });
    }

    /** Closes the tab as a viewer does: the page is told. */
    close() {
        return this.#browser.send("Target.closeTarget", { targetId: this.#target });
    }

    /** Ends the process of the page: it is not told. */
    crash() {
        // No answer comes.
        void this.send("Page.crash").catch(() => {});
    }
}
