// The front page in a real browser: what it leads to, and the lines to copy.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test, { after } from "node:test";
import { promisify } from "node:util";
import { Browser, Server, assertClean, assertFit, click, look, open, picture, shows, text, until } from "./support.js";

const browser = await Browser.launch({ after });
const server = await Server.start({ after }, []);

/** Where the links of the page lead, as far as they are shown. */
function links(page) {
    return page.run(`[...document.querySelectorAll("main a")].filter((link) => link.checkVisibility())
        .map(({ href }) => href.slice(location.origin.length))`);
}

test("what no page may do is noticed", async (t) => {
    for (const [what, complaint] of [
        ["console.error('broken')", /broken/],
        ["setTimeout(() => nothing())", /nothing is not defined/],
        ["document.body.setAttribute('style', 'color: red')", /Content Security Policy.*style-src/s],
        ["fetch('http://127.0.0.1:9/').catch(() => {})", /Content Security Policy.*connect-src/s],
        ["document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/' }))", /img-src/],
    ]) {
        const page = await browser.open(`${server.url}/`, { newWindow: true });
        t.after(() => page.close());
        assertClean(page, server.url);
        await page.run(`void ${what}`);
        await until(() => page.complaints.length);
        assert.match(page.complaints.join(), complaint);
        assert.throws(() => assertClean(page, server.url));
    }
});

test("people get a page, programs JSON, at the same address", async (t) => {
    const page = await open(t, browser, `${server.url}/`);
    assert.equal(await text(page, "h1"), "May this user start another stream?");
    const { name, version } = await server.call("GET", "/");
    assert.equal(name, "streamgate");
    await shows(page, "#version", new RegExp(`^${version.replaceAll(".", "\\.")}$`));
});

test("every link leads somewhere, and to what this server has", async (t) => {
    const page = await open(t, browser, `${server.url}/`);
    await until(async () => (await links(page)).includes("/demo/"));
    const found = new Set(await links(page));
    for (const path of ["/demo/", "/console/", "/docs/", "/openapi.json"]) assert.ok(found.has(path), path);
    for (const path of found) assert.equal((await fetch(server.url + path)).status, 200, path);
});

test("pages that are switched off are not offered, and not there", async (t) => {
    const bare = await Server.start(t, ["pages.demo=false", "pages.console=false"]);
    const page = await open(t, browser, `${bare.url}/`);
    await shows(page, "#version", /./);
    const found = await links(page);
    assert.ok(found.includes("/docs/"));
    for (const path of ["/demo/", "/console/"]) {
        assert.ok(!found.includes(path), path);
        assert.equal((await fetch(bare.url + path)).status, 404, path);
    }
});

test("the three lines are copied with the address of this server, and do what they say", async (t) => {
    const page = await open(t, browser, `${server.url}/`);
    const permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"];
    await browser.send("Browser.grantPermissions", { origin: server.url, permissions });
    const answers = [];
    for (const at of [1, 2, 3]) {
        const button = `.lines li:nth-child(${at}) button`;
        await click(page, button);
        await until(() => page.run(`document.querySelector("${button}").title == "Copied"`));
        const line = await page.run("navigator.clipboard.readText()");
        assert.ok(line.includes(`${server.url}/v1/users/ann/sessions/`), line);
        const { stdout } = await promisify(execFile)("bash", ["-c", line]);
        answers.push(stdout.trim().split("\n").map((answer) => answer && JSON.parse(answer)));
    }
    const [[first], others, [stopped]] = answers;
    assert.equal(first.active, 1);
    assert.deepEqual(others.map(({ active }) => active), [2, 3, 3]);
    assert.equal(others[2].code, "limit_reached");
    assert.equal(stopped, "");
});

test("the reader's choice of a theme counts for all pages, and outlives them", async (t) => {
    const page = await open(t, browser, `${server.url}/`);
    await look(page, "light", 1440);
    await click(page, ".top .icon-button");
    assert.equal(await page.run("document.documentElement.dataset.theme"), "dark");
    await page.go(`${server.url}/demo/`);
    assert.equal(await page.run("document.documentElement.dataset.theme"), "dark");
    await click(page, ".top .icon-button");
    assert.equal(await page.run("document.documentElement.dataset.theme"), "light");
    await page.run("localStorage.clear()");
});

test("it fits in both themes and at every width, and is drawn for the documents", async (t) => {
    const page = await open(t, browser, `${server.url}/`);
    await shows(page, "#version", /./);
    await assertFit(page, "front page");
    for (const theme of ["light", "dark"]) {
        await look(page, theme, 1280);
        await picture(page, `front-${theme}`);
    }
});
