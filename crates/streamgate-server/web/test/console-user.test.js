// The console in a real browser: one user, what an operator does to it, its refusals, and the events.

import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import { MARKUP, atBest, choose, go, refuse, start, texts, type, visit } from "./console.js";
import { Browser, Server, assertFit, click, press, shows, text, until } from "./support.js";

const browser = await Browser.launch({ after });
// A browser opens six connections to a server, and every page here holds one for its event stream.
const servers = await Promise.all(
    [1, 2, 3, 4].map(() => Server.start({ after }, ["plans.premium.limit=4"])),
);
let visits = 0;
const nextServer = () => servers[++visits % servers.length];

const user = (server, id) => server.call("GET", `/v1/users/${id}`);
/** What an operator reads behind an action. */
const said = (page, pattern) => shows(page, ".said p", pattern);

/** The page of a new user with these devices. */
async function userPage(t, ...devices) {
    const server = nextServer();
    const id = server.newUser();
    for (const device of devices) await start(server, id, device, { content_id: `film of ${device}` });
    const page = await visit(t, browser, server, `#/users/${id}`);
    await shows(page, "h1", new RegExp(`^${id}$`));
    return { server, id, page };
}

describe("a user in the console", { concurrency: true }, () => {
    test("sessions appear and go as they start and end, with device, content and lease", async (t) => {
        const { server, id, page } = await userPage(t, "TV");
        await shows(page, ".session", /TV.*film of TV.*since \d\d:\d\d:\d\d.* s left/);
        const tookMs = await atBest(2, async (number) => {
            await start(server, id, `Phone ${number}`);
            await until(async () => (await texts(page, ".session strong")).length == 1 + number);
        });
        // It is asked for every 5 seconds: an event has told.
        assert.ok(tookMs < 2000, `shown after ${tookMs} ms`);
        const before = await page.run("document.querySelector('.lease-left').style.transform");
        await until(
            async () => (await page.run("document.querySelector('.lease-left').style.transform")) != before,
        );
        await server.call("DELETE", `/v1/users/${id}/sessions/TV`);
        await until(async () => (await texts(page, ".session strong")).join() == "Phone 1,Phone 2");
    });

    test("a session is stopped behind a question, and not without", async (t) => {
        const { server, id, page } = await userPage(t, "TV", "Phone");
        await choose(page, "Stop TV");
        await shows(page, "dialog", /cannot be undone/);
        await choose(page, "Keep it");
        await until(() => page.run("!document.querySelector('dialog')"));
        assert.equal((await server.watching(id)).length, 2);
        await choose(page, "Stop TV");
        await choose(page, "Stop session");
        await said(page, /^TV was stopped\.$/);
        await until(async () => (await texts(page, ".session strong")).join() == "Phone");
        assert.deepEqual(
            (await server.watching(id)).map(({ device_name }) => device_name),
            ["Phone"],
        );
        // The button that had the focus is gone.
        await until(() => page.run("document.activeElement.textContent == 'Watching now'"));
    });

    test("by keyboard alone: past the header, to a session, and back out of the question", async (t) => {
        const { server, id, page } = await userPage(t, "TV");
        await shows(page, ".session strong", /^TV$/);
        const focused = () =>
            page.run(
                "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()",
            );
        const steps = ["Skip to the content", "Change limit or plan", "Mint a token", "Stop TV"];
        // The heading of the view has the focus at first: back to the top.
        await page.run("document.activeElement.blur(), scrollTo(0, 0)");
        for (const step of steps) {
            await press(page, "Tab");
            assert.equal(await focused(), step);
            if (step == steps[0]) await press(page, "Enter");
        }
        await press(page, "Enter");
        await shows(page, "dialog h2", /^Stop TV\?$/);
        assert.equal(await focused(), "Keep it");
        await press(page, "Escape");
        await until(() => page.run("!document.querySelector('dialog')"));
        assert.equal(await focused(), "Stop TV");
        assert.equal((await server.watching(id)).length, 1);
    });

    test("a limit is changed and undone", async (t) => {
        const { server, id, page } = await userPage(t, "TV");
        await choose(page, "Change limit or plan");
        await click(page, "dialog label:has(+ input)");
        await type(page, "dialog input[type=number]", "5");
        await choose(page, "Save");
        await said(page, /^Changed: limit default → 5\.$/);
        assert.equal((await user(server, id)).limit, 5);
        await shows(page, ".facts", /1 of 5 slots taken.*5 the user's own/);
        await choose(page, "Undo");
        await said(page, /^Undone: limit 5 → default\.$/);
        assert.equal((await user(server, id)).limit_source, "default");
        await shows(page, ".facts", /1 of 3 slots taken/);
    });

    test("a plan is changed and undone; one that nobody knows is told", async (t) => {
        const { server, id, page } = await userPage(t, "TV");
        await choose(page, "Change limit or plan");
        assert.deepEqual(
            await page.run("[...document.querySelectorAll('datalist option')].map(({ value }) => value)"),
            ["premium"],
        );
        await type(page, "dialog input[list]", "golden");
        await choose(page, "Save");
        await shows(page, "dialog .form-error", /^Plan is not a plan .*\.$/);
        await type(page, "dialog input[list]", "premium");
        await press(page, "Enter");
        await said(page, /^Changed: plan none → premium\.$/);
        assert.equal((await user(server, id)).plan, "premium");
        await choose(page, "Undo");
        await said(page, /^Undone: plan premium → none\.$/);
        assert.equal((await user(server, id)).plan, null);
    });

    test("what someone else has changed since is not undone", async (t) => {
        const { server, id, page } = await userPage(t, "TV");
        await choose(page, "Change limit or plan");
        await click(page, "dialog label:has(+ input)");
        await type(page, "dialog input[type=number]", "5");
        await choose(page, "Save");
        await said(page, /^Changed/);
        await server.call("PUT", `/v1/users/${id}`, { limit: 9 });
        await choose(page, "Undo");
        await said(page, /^Not undone: someone else/);
        assert.equal((await user(server, id)).limit, 9);
    });

    test("a token is minted, shown once, and is the user's", async (t) => {
        const { server, id, page } = await userPage(t, "TV");
        await choose(page, "Mint a token");
        await choose(page, "Mint token");
        await shows(page, "dialog", /Expires at \d\d:\d\d:\d\d, in 1 hour\./);
        const token = await page.run("document.querySelector('dialog textarea').value");
        const headers = { authorization: `Bearer ${token}` };
        const list = await fetch(`${server.url}/v1/users/${id}/sessions`, { headers });
        assert.equal((await list.json()).active, 1);
        assert.equal((await fetch(`${server.url}/v1/users/other/sessions`, { headers })).status, 403);
        await assertFit(page, "a minted token");
        await choose(page, "Close");
        await until(() => page.run("!document.querySelector('dialog')"));
        assert.ok(!(await page.run("document.documentElement.outerHTML")).includes(token));
    });

    test("a user that was never seen can be given a limit", async (t) => {
        const server = nextServer();
        const page = await visit(t, browser, server, "#/users/stranger");
        await shows(page, ".state h2", /^No user of this id was seen yet\.$/);
        await choose(page, "Change limit or plan");
        await click(page, "dialog label:has(+ input)");
        await type(page, "dialog input[type=number]", "1");
        await choose(page, "Save");
        await said(page, /^Changed: limit default → 1\.$/);
        await choose(page, "Undo");
        await said(page, /^Undone/);
        assert.equal((await user(server, "stranger")).status, 404);
    });

    test("a refusal is drawn and told: what was asked, who held the slots, when one is free", async (t) => {
        const { server, id, page } = await userPage(t);
        await shows(page, ".view", /No refusal is remembered\./);
        const { next_slot_at } = await refuse(server, id);
        await shows(page, ".view", /Last refused at \d\d:\d\d:\d\d\./);
        // The next answers leave the link alone: somebody is about to follow it.
        await page.run("(window.link = document.querySelector('.part p a')) && 0");
        const answers = () => page.run("performance.getEntriesByType('resource').length");
        const before = await answers();
        await until(async () => (await answers()) >= before + 3);
        assert.equal(await page.run("window.link.isConnected"), true);
        await choose(page, "Why was this user refused?");
        const told = await shows(page, ".refusal[open] .story", /./);
        const time = "\\d\\d:\\d\\d:\\d\\d";
        const story =
            `^At ${time} Tablet asked to play night-train and was refused\\. 2 of 2 slots were taken: ` +
            `Living room TV since ${time} and Phone since ${time}\\. Without any other change the next slot ` +
            `would have been free at (${time})\\.$`;
        const [, free] = new RegExp(story).exec(told) ?? assert.fail(told);
        const expected = await page.run(`new Date("${next_slot_at}").toTimeString().slice(0, 8)`);
        assert.equal(free, expected);
        assert.deepEqual(await texts(page, ".drawing-name strong"), ["Living room TV", "Phone", "Tablet"]);
        // A new one comes by itself.
        await start(server, id, "Laptop");
        await until(async () => (await texts(page, ".refusal")).length == 2);
        await shows(page, ".refusal[open] .refusal-asked", /^Laptop$/);
        await assertFit(page, "refusals");
    });

    test("a blocked user is told as blocked", async (t) => {
        const { server, id, page } = await userPage(t);
        await server.call("PUT", `/v1/users/${id}`, { limit: 0 });
        await start(server, id, "TV");
        await shows(page, ".facts", /Blocked: the limit is 0/);
        await go(page, `#/users/${id}/refusals`);
        await shows(page, ".story", /The user was blocked: its limit was 0\./);
    });

    test("markup in ids, names and contents is text everywhere", async (t) => {
        const facts = {
            device_name: MARKUP,
            device_class: MARKUP,
            content_id: MARKUP,
            content_type: MARKUP,
        };
        const server = nextServer();
        const page = await visit(t, browser, server, "#/events");
        await shows(page, ".feed-line .badge", /^Live$/);
        await server.call("PUT", `/v1/users/${encodeURIComponent(MARKUP)}`, {
            limit: 2,
            profile: { [MARKUP]: MARKUP },
        });
        for (const id of ["1", "2", "3"]) await start(server, MARKUP, id, facts);
        const shown = async (hash, selector) => {
            if (hash) await go(page, hash);
            await until(async () => (await texts(page, selector)).some((one) => one.includes(MARKUP)));
            assert.equal(await page.run("document.querySelectorAll('main img, main b').length"), 0, hash);
        };
        await shown("", "tbody tr");
        const own = `#/users/${encodeURIComponent(MARKUP)}`;
        await shown(own, ".session strong");
        await shown(own, ".facts");
        await shown(`${own}/refusals`, ".story");
        await shown("#/", "tbody a");
        await shown("#/users", "tbody a");
        assert.equal(await page.run("window.isHacked"), undefined);
    });

    test("every view of users and events fits, in both themes and at every width", async (t) => {
        const server = nextServer();
        const id = server.newUser();
        await refuse(server, id);
        const page = await visit(t, browser, server, `#/users/${id}`);
        await shows(page, ".session strong", /./);
        await assertFit(page, "user");
        await choose(page, "Change limit or plan");
        await assertFit(page, "change");
        await choose(page, "Cancel");
        await choose(page, "Stop Phone");
        await assertFit(page, "stop");
        await choose(page, "Keep it");
        await go(page, "#/users/nobody/refusals");
        await shows(page, ".state h2", /^No refusal is remembered\.$/);
        await assertFit(page, "no refusals");
        await go(page, "#/users");
        await shows(page, "tbody a", /./);
        await assertFit(page, "users");
        await go(page, "#/");
        await shows(page, ".tile-value", /^\d/);
        await assertFit(page, "overview");
        await go(page, "#/events");
        await shows(page, ".feed-line .badge", /^Live$/);
        await start(server, id, "Laptop");
        await shows(page, "tbody tr", /./);
        await assertFit(page, "events");
    });
});
