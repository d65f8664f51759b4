// A session that is attached to a media element: of the page itself, and of the players that the
// recipes are for, each under the Content-Security-Policy that its recipe names.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { after, describe } from "node:test";
import { promisify } from "node:util";
import { Browser } from "./support/browser.js";
import { makeClip } from "./support/clip.js";
import { STRICT, servePages } from "./support/pages.js";
import { Server } from "./support/server.js";
import { PACKAGE, TOOLS } from "./support/tools.js";
import { until } from "./support/wait.js";

const PAGE = `<!doctype html><title>player</title><link rel="icon" href="data:,">
    <script type="module" src="/player.js"></script><video muted playsinline></video>`;

/** What every page here offers to the test. */
const STAGE = `
    window.video = document.querySelector("video");
    window.told = [];
    window.slot = JSON.parse(decodeURIComponent(location.search.slice(1)));
    window.isPlaying = () => !video.paused && video.currentTime > 0;
`;

const server = await Server.start({ after });
const browser = await Browser.launch({ after });
const clip = await makeClip({ after });
const roots = { clip, sdk: new URL("../dist/", import.meta.url), "/": PAGE };

/** Opens a page of a site, for a new user. */
async function open(t, site, options = {}) {
    const user = server.newUser();
    const slot = { url: server.url, user, worker: "/sdk/worker.js", ...options };
    const page = await browser.open(`${site}/?${encodeURIComponent(JSON.stringify(slot))}`);
    t.after(() => page.close());
    const path = `/v1/users/${user}/sessions`;
    const watching = () => server.watching(user);
    const isWatching = (count) => until(async () => (await watching()).length == count);
    /** Another device takes the slot. */
    const takeSlot = async () => {
        const ids = (await watching()).map(({ session_id }) => session_id);
        const start = { device_name: "Phone", terminate: ids };
        assert.equal((await server.call("PUT", `${path}/phone`, start)).status, 201);
    };
    const freeSlot = () => server.call("DELETE", `${path}/phone`);
    return { page, watching, isWatching, takeSlot, freeSlot };
}

describe("attach", async () => {
    const player = `${STAGE}
        import { attach } from "/sdk/index.js";
        video.src = "/clip/film.mp4";
        window.attachment = attach(video, () => ({
            ...slot,
            content: { id: "film" },
            onEnded: ({ reason, by }) => told.push([reason, by?.deviceName, video.paused]),
            onRefused: (refusal) => (window.refusal = refusal),
            onFailed: ({ code }) => told.push(code),
        }));`;
    const site = await servePages({ after }, { ...roots, "/player.js": player });

    test("a session starts with the picture, and stops at its end", async (t) => {
        const { page, watching, isWatching } = await open(t, site);
        assert.deepEqual(await watching(), []);
        await page.run("video.play()");
        await isWatching(1);
        assert.equal((await watching())[0].content_id, "film");
        await until(() => page.run("video.ended"));
        await isWatching(0);
        // Once more from the beginning.
        await page.run("video.play()");
        await isWatching(1);
        await page.run("attachment.detach()");
        assert.deepEqual(await watching(), []);
        assert.deepEqual(page.complaints, []);
    });

    test("an element that is let go while its start is under way holds no slot", async (t) => {
        const { page, watching } = await open(t, site);
        await page.run(`
            window.stopped = 0;
            const send = fetch;
            window.fetch = async (url, options) => {
                const answer = await send(url, options);
                if (options.method == "DELETE") stopped += 1;
                return answer;
            };
            const begun = new Promise((done) => video.addEventListener("play", done, { once: true }));
            video.play().catch(() => {});
            begun.then(() => attachment.detach())`);
        assert.equal(await page.run("stopped"), 1);
        assert.deepEqual(await watching(), []);
        assert.deepEqual(page.complaints, []);
    });

    test("a lost slot pauses the video, and says who took it", async (t) => {
        const { page, isWatching, takeSlot, freeSlot } = await open(t, site);
        await page.run("video.loop = true, video.play()");
        await isWatching(1);
        const takenAt = Date.now();
        await takeSlot();
        await until(() => page.run("told.length"));
        assert.ok(Date.now() - takenAt < 1000, `${Date.now() - takenAt} ms`);
        assert.deepEqual(await page.run("told"), [["terminated", "Phone", true]]);
        assert.equal(await page.run("attachment.session"), undefined);
        // Play starts again.
        await freeSlot();
        await page.run("video.play()");
        await until(() => page.run("attachment.session?.state == 'live'"));
    });

    test("a refused start pauses the video, and plays on after a takeover", async (t) => {
        const { page, watching, takeSlot } = await open(t, site);
        await takeSlot();
        await page.run("video.loop = true, video.play()");
        await until(() => page.run("!!window.refusal"));
        assert.equal(await page.run("video.paused"), true);
        assert.equal(await page.run("refusal.sessions[0].deviceName"), "Phone");
        await page.run("refusal.takeOver('phone').then(() => 1)");
        await until(() => page.run("isPlaying()"));
        const id = await page.run("attachment.session.id");
        assert.deepEqual((await watching()).map(({ session_id }) => session_id), [id]);
    });

    test("a video that stays paused frees its slot, and takes one when it plays again", async (t) => {
        const { page, isWatching } = await open(t, site, { pauseTimeoutMs: 500 });
        await page.run("video.loop = true, video.play()");
        await isWatching(1);
        await page.run("video.pause()");
        await isWatching(0);
        await page.run("video.play()");
        await isWatching(1);
        // A short pause does not.
        await page.run("video.pause(), video.play()");
        await page.run("new Promise((done) => setTimeout(done, 700))");
        await isWatching(1);
    });

    test("a start that fails pauses the video", async (t) => {
        const { page } = await open(t, site, { region: "x".repeat(300) });
        await page.run("video.loop = true, video.play()");
        await until(() => page.run("told.length"));
        assert.deepEqual(await page.run("[told, video.paused]"), [["invalid_request"], true]);
    });

    test("the next film goes on in the same slot", async (t) => {
        const { page, watching, isWatching } = await open(t, site);
        await page.run("video.loop = true, video.play()");
        await isWatching(1);
        // The server knows of the session before the page does.
        await until(() => page.run("!!attachment.session"));
        await page.run("attachment.next({ content: { id: 'film-2' } })");
        const [{ content_id, session_id }] = await watching();
        assert.equal(content_id, "film-2");
        assert.equal(await page.run("attachment.session.id"), session_id);
        assert.equal(await page.run("isPlaying()"), true);
    });
});

/** The policy that a recipe names, for a page whose API and films may be anywhere on this machine. */
function policyOf(recipe) {
    const [, named] = /^\/\/ +(script-src .*)$/m.exec(recipe);
    const others = STRICT.split("; ").filter((part) => !named.includes(part.split(" ")[0]));
    return [...others, named].join("; ");
}

describe("recipes", () => {
    for (const [name, film, css] of [
        ["hlsjs", "film.m3u8"],
        ["shaka", "film.mpd"],
        ["videojs", "film.m3u8", "video.js/dist/video-js.css"],
    ]) {
        test(`${name}: plays, is paused when the slot is lost, and takes it back`, async (t) => {
            const recipe = join(PACKAGE, "recipes", `${name}.js`);
            const main = `${STAGE}
                import { play } from ${JSON.stringify(recipe)};
                const viewer = {
                    tell: ({ reason, by }) => told.push([reason, by?.deviceName]),
                    choose: async ([{ sessionId }]) => sessionId,
                };
                video.loop = true;
                window.closing = Promise.resolve(
                    play(video, { id: "film", url: "/clip/${film}" }, slot, viewer),
                );`;
            const policy = policyOf(await readFile(recipe, "utf8"));
            const bundle = await bundled(main);
            const styles = css ? await readFile(join(TOOLS, css), "utf8") : "";
            const page = PAGE.replace("<title>", '<link rel="stylesheet" href="/player.css"><title>');
            const files = { ...roots, "/": page, "/player.js": bundle, "/player.css": styles };
            const site = await servePages(t, files, policy);
            const opened = await open(t, site);

            // `video` is the page's own element; a player may have put another in its place.
            const playing = `document.querySelector("video") && isPlaying()`;
            await until(() => opened.page.run(playing));
            await opened.isWatching(1);
            assert.equal((await opened.watching())[0].content_id, "film");
            await opened.takeSlot();
            await until(() => opened.page.run("told.length"));
            assert.deepEqual(await opened.page.run("told"), [["terminated", "Phone"]]);
            assert.equal(await opened.page.run("video.paused"), true);
            // Refused, since the phone plays; the viewer chooses to end that.
            await opened.page.run("video.play().catch(() => {})");
            await until(async () => (await opened.watching())[0]?.session_id != "phone");
            await until(() => opened.page.run(playing));
            await opened.page.run("closing.then((close) => close())");
            await opened.isWatching(0);
            assert.deepEqual(opened.page.complaints, []);
        });
    }
});

/** A module with all that it imports. */
async function bundled(text) {
    const flags = ["--bundle", "--format=esm", `--alias:streamgate=${PACKAGE}dist/index.js`];
    const options = { maxBuffer: 1 << 26, env: { ...process.env, NODE_PATH: TOOLS } };
    const running = promisify(execFile)("esbuild", flags, options);
    running.child.stdin.end(text);
    return (await running).stdout;
}
