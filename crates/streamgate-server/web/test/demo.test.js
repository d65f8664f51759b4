// The demo in a real browser, on a real server: accounts, four devices, refusal, takeover.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test, { after, describe } from "node:test";
import { Browser, SHORT, Server, assertFit, click, hide, look, open, picture, press, shows, text, until } from "./support.js";

const PLAYING = /^Playing\. This device holds a screen\.$/;

const KEY = "sgk_test";
const sha256 = createHash("sha256").update(KEY).digest("hex");
const KEYS = { STREAMGATE_KEYS: `[{ name = "test", scope = "service", sha256 = "${sha256}" }]` };

const browser = await Browser.launch({ after });

/** Opens the player of a user on a device. */
function watch(t, server, user, device) {
    return open(t, browser, `${server.url}/demo/#user=${user}&device=${device}`);
}

/** Opens it, and waits until it plays. */
async function playing(t, server, user, device) {
    const page = await watch(t, server, user, device);
    await shows(page, ".status", PLAYING);
    return page;
}

/** A server of the test's own, as tabs of one server share its connections; `ann` may watch so often. */
async function serve(t, limit, settings = []) {
    const server = await Server.start(t, settings);
    await server.call("PUT", "/v1/users/ann", { limit });
    return server;
}

/** Takes every permit for an event stream, so that the next tab sends heartbeats. */
async function takeStreams(t, server) {
    const page = await open(t, browser, `${server.url}/demo/`);
    await page.run(`import("./permits.js").then(async ({ streamPermit }) => {
        while (await streamPermit());
    })`);
}

describe("demo", { concurrency: 3 }, () => {
    test("an account is chosen, and its user has the limit of its plan", async (t) => {
        const server = await serve(t, 1);
        const page = await open(t, browser, `${server.url}/demo/`);
        for (const [at, user, limit] of [[1, "demo-mia", 1], [2, "demo-ben", 2], [3, "demo-ann", 3]]) {
            await click(page, `.accounts li:nth-child(${at}) button`);
            await shows(page, ".status", PLAYING);
            assert.equal((await server.call("GET", `/v1/users/${user}`)).limit, limit);
            const [session] = await server.watching(user);
            assert.equal(session.device_class, "laptop");
            assert.equal(session.content_type, "film");
            // The film is drawn, and reaches the video.
            await until(() => page.run("document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > 10"));
            await click(page, ".who a");
            await shows(page, "h1", /^Who is watching\?$/);
            await until(async () => (await server.watching(user)).length == 0);
        }
    });

    test("anybody can sign in by a user id, which is text and never markup", async (t) => {
        const server = await serve(t, 1);
        const page = await open(t, browser, `${server.url}/demo/`);
        const user = `<img src=x onerror="document.title='markup'"> & /%2F?#`;
        await click(page, "#name");
        await page.send("Input.insertText", { text: user });
        await press(page, "Enter");
        await shows(page, ".status", PLAYING);
        assert.equal(await text(page, ".who strong"), user);
        assert.equal((await server.watching(encodeURIComponent(user))).length, 1);
        assert.equal(await page.run("document.title"), "Laptop · Halflight");
    });

    test("without a user id the form says so", async (t) => {
        const server = await serve(t, 1);
        const page = await open(t, browser, `${server.url}/demo/`);
        await click(page, ".anybody button");
        await shows(page, "#name-error", /^Enter a user id\.$/);
        assert.equal(await page.run("document.activeElement.id"), "name");
    });

    test("three devices play, the fourth is refused, stops one of them, and plays", async (t) => {
        const server = await serve(t, 3);
        const tv = await playing(t, server, "ann", "tv");
        const phone = await playing(t, server, "ann", "phone");
        await playing(t, server, "ann", "laptop");
        const tablet = await watch(t, server, "ann", "tablet");
        const title = await shows(tablet, ".panel h2", /./);
        assert.equal(title, "You are watching on Living room TV, Phone and Laptop");
        await shows(tablet, ".holders li", /^Living room TV\s*since \d\d:\d\d · /);
        assert.equal(await tablet.run("document.querySelector('video').paused"), true);
        assert.equal(await text(tablet, ".panel h2:focus"), title);

        // The end of a lease is far away: only an event can tell it so soon. A machine that is busy
        // with other tests may be slow once.
        let fastestMs = Infinity;
        let [from, to] = [tv, tablet];
        for (const _ of [1, 2, 3]) {
            await from.run("document.querySelector('video').addEventListener('pause', () => (window.pausedAt = Date.now()))");
            const name = from == tv ? "Living room TV" : "Tablet";
            await to.run(`window.chosenAt = 0, document.querySelector('[data-stops="${name}"]')
                .addEventListener('click', () => (window.chosenAt = Date.now()), true)`);
            await click(to, `[data-stops="${name}"]`);
            await shows(to, ".status", PLAYING);
            const by = to == tablet ? "Tablet" : "Living room TV";
            await shows(from, ".panel h2", new RegExp(`^${by} is playing now$`));
            await shows(from, ".panel p", /^Somebody chose this screen there at \d\d:\d\d:\d\d, because/);
            fastestMs = Math.min(fastestMs, (await from.run("pausedAt")) - (await to.run("chosenAt")));
            assert.equal(await from.run("document.querySelector('video').paused"), true);
            if (fastestMs < 1000) break;
            [from, to] = [to, from];
            await click(to, ".panel button");
            await shows(to, ".panel h2", /^You are watching on/);
        }
        assert.ok(fastestMs < 1000, `paused after ${fastestMs} ms`);
        assert.equal((await server.watching("ann")).length, 3);
        assert.equal(await phone.run("document.querySelector('video').paused"), false);
    });

    test("a link opens another device in a tab of its own", async (t) => {
        const server = await serve(t, 2);
        const page = await playing(t, server, "ann", "laptop");
        const [link] = await page.run("[...document.querySelectorAll('.devices a')].map(({ href, target }) => [href, target])");
        assert.equal(link[1], "_blank");
        const other = await open(t, browser, link[0]);
        await shows(other, ".status", PLAYING);
        const names = (await server.watching("ann")).map(({ device_name }) => device_name);
        assert.deepEqual(names, ["Laptop", "Living room TV"]);
        await shows(page, ".watching li:nth-child(2)", /^Living room TV/);
        await shows(page, ".card p.num", /^2 of 2 screens in use$/);
    });

    test("a lowered limit and an operator's stop are told with their reasons", async (t) => {
        const server = await serve(t, 1);
        const page = await playing(t, server, "ann", "tv");
        await server.call("DELETE", "/v1/users/ann");
        await shows(page, ".panel h2", /^Stopped by an operator$/);
        await server.call("PUT", "/v1/users/ann", { limit: 0 });
        await click(page, ".panel button");
        await shows(page, ".panel h2", /^This account may not watch$/);
        await server.call("PUT", "/v1/users/ann", { limit: 1 });
        await click(page, ".panel button");
        await shows(page, ".status", PLAYING);
    });

    test("a pause keeps the screen, and the film goes on", async (t) => {
        const server = await serve(t, 1);
        const page = await playing(t, server, "ann", "tv");
        await click(page, ".controls button");
        await shows(page, ".status", /^Paused\./);
        assert.equal((await server.watching("ann")).length, 1);
        await click(page, ".controls button");
        await shows(page, ".status", PLAYING);
    });

    test("a killed tab frees its screen one lease later", async (t) => {
        const server = await serve(t, 1, SHORT);
        const crashing = await browser.open(`${server.url}/demo/#user=ann&device=tv`, { newWindow: true });
        await shows(crashing, ".status", PLAYING);
        const other = await watch(t, server, "ann", "phone");
        await shows(other, ".panel h2", /^You are watching on Living room TV$/);
        crashing.crash();
        const [session] = await server.watching("ann");
        await until(async () => (await server.watching("ann")).length == 0, 20);
        assert.ok(Date.now() >= Date.parse(session.expires_at), "not before its lease was over");
        await click(other, ".foot-row button");
        await shows(other, ".status", PLAYING);
    });

    for (const [how, isHeld] of [["event stream", true], ["heartbeats", false]]) {
        test(`a hidden tab keeps its screen by its ${how}`, async (t) => {
            const server = await serve(t, 1, SHORT);
            if (!isHeld) await takeStreams(t, server);
            const page = await playing(t, server, "ann", "tv");
            const [{ session_id }] = await server.watching("ann");
            await hide(page);
            // Longer than its lease.
            await new Promise((done) => setTimeout(done, 7000));
            const [session] = await server.watching("ann");
            assert.equal(session?.session_id, session_id);
            assert.equal(await page.run("document.querySelector('video').paused"), false);
        });
    }

    test("a frozen tab loses its lease, and plays on by revival when it thaws", async (t) => {
        const server = await serve(t, 1, SHORT);
        // An open stream renews the lease of a frozen tab too.
        await takeStreams(t, server);
        const page = await playing(t, server, "ann", "tv");
        const [{ session_id }] = await server.watching("ann");
        await hide(page);
        await page.send("Page.setWebLifecycleState", { state: "frozen" });
        await until(async () => (await server.watching("ann")).length == 0, 20);
        await page.send("Page.setWebLifecycleState", { state: "active" });
        await until(async () => (await server.watching("ann"))[0]?.session_id == session_id, 20);
        await page.setWindow("normal");
        // The browser has paused the film of a page that it froze.
        await shows(page, ".status", /^Paused\./);
        await click(page, ".controls button");
        await shows(page, ".status", PLAYING);
        assert.equal((await server.watching("ann"))[0].session_id, session_id);
    });

    test("a reload keeps the screen, and the place in the film", async (t) => {
        const server = await serve(t, 1);
        const before = await open(t, browser, `${server.url}/demo/`);
        await before.run('localStorage.setItem("streamgate-demo:at:ann", "50")');
        const page = await playing(t, server, "ann", "tv");
        const place = () => page.run('Number(localStorage.getItem("streamgate-demo:at:ann"))');
        const left = await until(async () => (await place()) > 51 && place());
        await page.reload();
        await shows(page, ".status", PLAYING);
        await until(async () => (await place()) > left);
        assert.equal((await server.watching("ann")).length, 1);
    });

    test("the server is restarted, and the film plays on", async (t) => {
        const server = await serve(t, 1, SHORT);
                const page = await playing(t, server, "ann", "tv");
        const [{ session_id }] = await server.watching("ann");
        await page.run("document.querySelector('video').addEventListener('pause', () => (window.hasPaused = true))");
        await server.stop();
        await shows(page, ".status", /^The server does not answer\. The film plays on/);
        await shows(page, ".card p.num", /^The list cannot be read now/);
        await server.start();
        await until(async () => (await server.watching("ann"))[0]?.session_id == session_id, 20);
        await shows(page, ".status", PLAYING);
        await shows(page, ".card p.num", /^1 of 1 screen in use$/);
        assert.equal(await page.run("window.hasPaused"), undefined);
    });

    test("a server that is away is told, and asked again", async (t) => {
        const away = await Server.start(t, SHORT);
        const page = await open(t, browser, `${away.url}/demo/`);
        await away.stop();
        await click(page, ".accounts button");
        await shows(page, ".answer h2", /^The server cannot be reached$/);
        await away.start();
        await click(page, ".accounts button");
        await shows(page, ".status", PLAYING);
    });

    test("a server with keys says what to do, and takes a viewer token", async (t) => {
        const keyed = await Server.start(t, SHORT, KEYS);
        const page = await open(t, browser, `${keyed.url}/demo/`);
        await click(page, ".accounts button");
        await shows(page, ".answer h2", /^This server has API keys$/);
        const command = await text(page, ".keys .code:nth-of-type(2) pre");
        assert.ok(command.includes(`${keyed.url}/v1/users/demo-mia/tokens`), command);
        await assertFit(page, "keys");

        await click(page, "#token");
        await page.send("Input.insertText", { text: "nonsense" });
        await press(page, "Enter");
        await shows(page, "#token-error", /^This is not a token/);
        const claims = Buffer.from(JSON.stringify({ sub: "demo-ann" })).toString("base64url");
        await page.run("document.querySelector('#token').value = ''");
        await page.send("Input.insertText", { text: `e30.${claims}.e30` });
        await press(page, "Enter");
        await shows(page, "#token-error", /^The server does not accept it: /);

        const minted = await fetch(`${keyed.url}/v1/users/demo-ann/tokens`, {
            method: "POST",
            headers: { "x-api-key": KEY },
        });
        await page.run("document.querySelector('#token').value = ''");
        await page.send("Input.insertText", { text: (await minted.json()).token });
        await press(page, "Enter");
        await shows(page, ".status", PLAYING);

        // A tab that was not opened by this one has no token.
        const stranger = await open(t, browser, `${keyed.url}/demo/#user=demo-ann&device=tv`);
        await shows(stranger, ".panel h2", /^This server asks for a credential$/);
    });

    test("a keyboard alone signs in, is refused, and takes over", async (t) => {
        const own = await Server.start(t, []);
        const tv = await playing(t, own, "demo-mia", "tv");
        const page = await open(t, browser, `${own.url}/demo/`);
        const focused = () => page.run("document.activeElement.textContent.trim()");
        const tabTo = async (pattern) => {
            for (let presses = 0; !pattern.test(await focused()); presses++) {
                assert.ok(presses < 20, `no way to ${pattern}`);
                await press(page, "Tab");
            }
        };
        await press(page, "Tab");
        assert.equal(await focused(), "Skip to the content");
        await press(page, "Enter");
        await tabTo(/^M?Mia/);
        await press(page, "Enter");
        await shows(page, ".panel h2", /^You are watching on Living room TV$/);
        await tabTo(/^Stop and play here, instead of Living room TV$/);
        await press(page, "Enter");
        await shows(page, ".status", PLAYING);
        await shows(tv, ".panel h2", /^Laptop is playing now$/);
    });

    test("every view fits, in both themes and at every width", async (t) => {
        const server = await serve(t, 1);
        const signIn = await open(t, browser, `${server.url}/demo/`);
        await shows(signIn, "h1", /./);
        await assertFit(signIn, "sign in");
        const tv = await playing(t, server, "ann", "tv");
        await assertFit(tv, "playing");
        const phone = await watch(t, server, "ann", "phone");
        await shows(phone, ".panel h2", /./);
        await assertFit(phone, "refused");
        await click(phone, ".holders button");
        await shows(tv, ".panel h2", /./);
        await assertFit(tv, "ended");
    });
});

test("pictures of the demo for the documents", async (t) => {
    const own = await Server.start(t, []);
    await own.call("PUT", "/v1/users/demo-ann", { limit: 3 });
    for (const device of ["tv", "phone", "laptop"]) {
        const page = await playing(t, own, "demo-ann", device);
        await page.run(`localStorage.setItem("streamgate-demo:at:demo-ann", "19")`);
    }
    for (const theme of ["light", "dark"]) {
        const page = await open(t, browser, `${own.url}/demo/`);
        await look(page, theme, 1280);
        await page.run(`localStorage.setItem("streamgate-demo:at:demo-ann", "19")`);
        await page.run("location.hash = '#user=demo-ann&device=tablet'");
        await shows(page, ".panel h2", /^You are watching on/);
        await shows(page, ".watching li:nth-child(3)", /^Laptop/);
        await picture(page, `demo-${theme}`);
    }
});
