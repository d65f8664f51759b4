// What the tests of the pages share: servers, tabs, and what is demanded of every page.

import assert from "node:assert/strict";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser } from "../../../../sdk/js/test/support/browser.js";
import { Server } from "../../../../sdk/js/test/support/server.js";
import { TOOLS } from "../../../../sdk/js/test/support/tools.js";
import { until } from "../../../../sdk/js/test/support/wait.js";

export { Browser, Server, until };

/** The folder of the pages. */
export const WEB = fileURLToPath(new URL("../", import.meta.url));

const PICTURES = fileURLToPath(new URL("../../../../docs/pictures/", import.meta.url));

/** The widths at which every view is looked at. */
export const WIDTHS = [375, 768, 1440];

/** A short lease; nothing that makes the server more open than it is by default. */
export const SHORT = ["policy.lease_s=5", "policy.heartbeat_interval_s=1"];

const axe = await readFile(join(TOOLS, "axe-core/axe.min.js"), "utf8");

/**
 * Opens a tab, in a window of its own, that is closed with the test, and then must have been clean: no
 * error, no violation of the policy, no request to another host.
 */
export async function open(t, browser, url) {
    const page = await browser.open(url, { newWindow: true });
    t.after(async () => {
        await page.close().catch(() => {});
        assertClean(page, url);
    });
    return page;
}

/** Fails if the page did anything that no page may do. */
export function assertClean(page, url) {
    assert.deepEqual(page.complaints, []);
    assert.deepEqual([...page.hosts], [new URL(url).host]);
}

/** Hides a tab, as a viewer does who minimises its window. */
export async function hide(page) {
    await page.setWindow("minimized");
    await until(() => page.run("document.visibilityState == 'hidden'"));
}

/** Shows the page as a reader has it who prefers this theme, in a window of this width. */
export async function look(page, theme, width) {
    // Without transitions: axe would meet colours on their way.
    const features = [
        { name: "prefers-reduced-motion", value: "reduce" },
        { name: "prefers-color-scheme", value: theme },
    ];
    await page.send("Emulation.setEmulatedMedia", { features });
    const size = { width, height: width < 500 ? 760 : 860, deviceScaleFactor: 1, mobile: false };
    await page.send("Emulation.setDeviceMetricsOverride", size);
    await page.send("Emulation.setScrollbarsHidden", { hidden: true });
    await until(() => page.run(`document.documentElement.dataset.theme == "${theme}" && innerWidth == ${width}`));
}

/** Checks a view in both themes and at every width: axe finds nothing, and nothing scrolls sideways. */
export async function assertFit(page, view) {
    for (const theme of ["light", "dark"]) {
        for (const width of WIDTHS) {
            await look(page, theme, width);
            const what = `${view}, ${theme}, ${width} px`;
            const over = await page.run("document.documentElement.scrollWidth - innerWidth");
            assert.ok(over <= 0, `${what}: ${over} px too wide`);
            const found = await page.run(`${axe}
                axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
                    violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html, any }) =>
                        html.slice(0, 120) + " " + (any[0]?.message ?? "")).join(" | ")))`);
            assert.deepEqual(found, [], what);
        }
    }
}

/**
 * A picture for the documents. With UPDATE_PICTURES=1 it is taken; otherwise there must be one, because
 * pixels differ from machine to machine.
 */
export async function picture(page, name) {
    const path = join(PICTURES, `${name}.webp`);
    if (process.env.UPDATE_PICTURES) {
        await mkdir(PICTURES, { recursive: true });
        const { data } = await page.send("Page.captureScreenshot", { format: "webp", quality: 85 });
        await writeFile(path, Buffer.from(data, "base64"));
    }
    const { size } = await stat(path);
    assert.ok(size > 1_000 && size < 150_000, `${name}: ${size} bytes`);
}

/** The text of the first element that matches, if there is one that is shown. */
export function text(page, selector) {
    return page.run(`(() => {
        const element = document.querySelector(${JSON.stringify(selector)});
        return element?.checkVisibility() ? element.textContent.trim().replaceAll("\\u00a0", " ") : undefined;
    })()`);
}

/** Waits until an element shows this text. */
export async function shows(page, selector, pattern) {
    let last;
    try {
        return await until(async () => pattern.test((last = (await text(page, selector)) ?? "")) && last, 20);
    } catch {
        throw new Error(`${selector} shows ${JSON.stringify(last)} and not ${pattern}`);
    }
}

/** Clicks the element as a pointer does: at its place, if nothing covers it. */
export async function click(page, selector) {
    const { x, y } = await until(() =>
        page.run(`(() => {
            const element = document.querySelector(${JSON.stringify(selector)});
            if (!element) return false;
            element.scrollIntoView({ block: "center" });
            const { left, top, width, height } = element.getBoundingClientRect();
            const at = { x: left + width / 2, y: top + height / 2 };
            return element.contains(document.elementFromPoint(at.x, at.y)) && at;
        })()`),
    );
    const event = { x, y, button: "left", clickCount: 1 };
    await page.send("Input.dispatchMouseEvent", { ...event, type: "mousePressed" });
    await page.send("Input.dispatchMouseEvent", { ...event, type: "mouseReleased" });
}

/** Presses a key: `Tab`, `Enter`, `Escape`. */
export async function press(page, key) {
    const codes = { Tab: 9, Enter: 13, Escape: 27 };
    const event = { key, code: key, windowsVirtualKeyCode: codes[key], text: key == "Enter" ? "\r" : undefined };
    await page.send("Input.dispatchKeyEvent", { ...event, type: "keyDown" });
    await page.send("Input.dispatchKeyEvent", { ...event, type: "keyUp" });
}
