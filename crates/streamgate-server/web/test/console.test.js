// The console in a real browser, on a real server: signing in, the overview, users, the node.

import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import {
    KEY,
    KEYS,
    MARKUP,
    asked,
    atBest,
    choose,
    go,
    refuse,
    signIn,
    start,
    texts,
    type,
    visit,
} from "./console.js";
import { Browser, Server, assertFit, hide, press, shows, text, until } from "./support.js";

const browser = await Browser.launch({ after });
const server = await Server.start({ after }, []);
const locked = await Server.start({ after }, [], KEYS);

const admin = { authorization: `Bearer ${KEY.admin}`, "content-type": "application/json" };
const asAdmin = async (method, path, body) => {
    const answer = await fetch(locked.url + path, {
        method,
        headers: admin,
        body: body && JSON.stringify(body),
    });
    return answer.json();
};

describe("console", { concurrency: true }, () => {
    test("an open server asks for no key, and says so", async (t) => {
        const page = await visit(t, browser, server, "#/node");
        await shows(page, ".facts", /Open: anyone who reaches this server/);
        assert.deepEqual(await texts(page, ".bar nav a"), ["Overview", "Users", "Events", "Node"]);
        await choose(page, "Sign in");
        await signIn(page, "sgk_anything");
        await shows(page, ".toast", /^This server asks for no key/);
        await shows(page, ".facts", /Open: anyone who reaches this server/);
        assert.equal(await page.run("sessionStorage.length"), 0);
    });

    test("an admin key opens everything, in this tab, until the operator signs out", async (t) => {
        const page = await visit(t, browser, locked);
        await signIn(page, KEY.admin);
        await shows(page, "h1", /^Overview$/);
        await shows(page, ".tile-value", /^\d/);
        await page.reload();
        await shows(page, "h1", /^Overview$/);
        assert.equal(await page.run("localStorage.length"), 0);
        const other = await visit(t, browser, locked);
        await shows(other, "h1", /^Sign in$/);
        await choose(page, "Sign out");
        await shows(page, "h1", /^Sign in$/);
        assert.equal(await page.run("sessionStorage.length"), 0);
    });

    test("a wrong key is told, and what to do; the next one is taken", async (t) => {
        const page = await visit(t, browser, locked);
        await signIn(page, "");
        await shows(page, ".form-error", /^Paste an API key/);
        for (const [wrong, says] of [
            ["sgk_nonsense", /does not accept this/],
            [KEY.player, /scope player is for players/],
        ]) {
            await type(page, "#credential", wrong);
            await choose(page, "Sign in");
            await shows(page, ".form-error", says);
        }
        assert.equal(await page.run("document.activeElement.id"), "credential");
        await assertFit(page, "sign in, refused");
        await type(page, "#credential", KEY.admin);
        await choose(page, "Sign in");
        await shows(page, "h1", /^Overview$/);
    });

    test("a key that is taken away leads back to signing in, whatever is open", async (t) => {
        const page = await visit(t, browser, locked);
        await signIn(page, KEY.admin);
        await shows(page, "h1", /^Overview$/);
        await go(page, "#/users/kim");
        await choose(page, "Mint a token");
        // As if the server had other keys since.
        await page.run("window.fetch = async () => new Response('{}', { status: 401 })");
        await shows(page, ".form-error", /not accept your credential any more/);
        assert.equal(await page.run("document.querySelector('dialog')"), null);
    });

    test("a key that lost its scope leads back to signing in", async (t) => {
        const page = await visit(t, browser, locked);
        await shows(page, "h1", /^Sign in$/);
        await page.run(`sessionStorage.setItem("streamgate.console.credential", "${KEY.player}")`);
        await page.reload();
        await shows(page, ".form-error", /scope player is for players/);
    });

    test("a key that is not accepted any more leads back to signing in", async (t) => {
        const page = await visit(t, browser, locked);
        await shows(page, "h1", /^Sign in$/);
        await page.run(`sessionStorage.setItem("streamgate.console.credential", "sgk_of_yesterday")`);
        await page.reload();
        await shows(page, ".form-error", /not accept your credential any more/);
        assert.equal(await page.run("sessionStorage.length"), 0);
    });

    test("a service key opens the users, and nothing about the node", async (t) => {
        const page = await visit(t, browser, locked);
        await signIn(page, KEY.service);
        await shows(page, "h1", /^Users$/);
        assert.deepEqual(await texts(page, ".bar nav a"), ["Users"]);
        for (const hash of ["#/events", "#/node"]) {
            await go(page, hash);
            await shows(page, "h1", /^There is no such page$/);
        }
    });

    test("a viewer's token opens its own page, and asks for nothing else", async (t) => {
        const { token } = await asAdmin("POST", "/v1/users/ann/tokens");
        await asAdmin("PUT", "/v1/users/ann/sessions/tv", { device_name: "Living room TV" });
        const page = await visit(t, browser, locked);
        await shows(page, "h1", /^Sign in$/);
        await page.run("performance.clearResourceTimings()");
        await signIn(page, token);
        await shows(page, "h1", /^Your sessions$/);
        await shows(page, ".session strong", /^Living room TV$/);
        assert.deepEqual(await texts(page, ".bar nav a"), ["Your sessions", "Your refusals"]);
        assert.deepEqual(await texts(page, ".view-head button"), []);
        await choose(page, "Your refusals");
        await shows(page, "h1", /^Your refusals$/);
        for (const hash of ["#/users/ben", "#/users/ben/refusals", "#/users"]) {
            await go(page, hash);
            await shows(page, "h1", /^Not allowed$/);
        }
        for (const hash of ["#/events", "#/node"]) {
            await go(page, hash);
            await shows(page, "h1", /^Not allowed$/);
        }
        const strange = (await asked(page)).filter((path) => !path.startsWith("/v1/users/ann/"));
        assert.deepEqual(strange, []);
        await go(page, "#/");
        await choose(page, "Stop Living room TV");
        await choose(page, "Stop session");
        await shows(page, ".state h2", /^Nobody is watching\.$/);
        await assertFit(page, "a viewer's page");
    });

    test("the overview shows a refusal within two seconds, and the past hour at once", async (t) => {
        const own = await Server.start(t, []);
        const page = await visit(t, browser, own);
        await shows(page, ".tile-value", /^0$/);
        const tookMs = await atBest(4, async (number) => {
            await refuse(own, `ann-${number}`);
            await until(async () => (await texts(page, "tbody a")).includes(`ann-${number}`));
        });
        assert.ok(tookMs < 2000, `shown after ${tookMs} ms`);
        await shows(page, "tbody tr", /^ann-\dWhy\?\d\d:\d\d:\d\d1$/);
        await shows(page, ".tile.bad .tile-value", /^0\.[1-4]$/);
        await page.run(`document.querySelector('input[value="3600"]').click()`);
        // The refusal is in the step of ten seconds that is under way, or has just ended.
        const highest = () => text(page, ".chart > p");
        await until(async () => /Refusals: at most 0\.[1-4]/.test(await highest()), 20);
        const fresh = await visit(t, browser, own, "#/?span=3600");
        await shows(fresh, ".chart > p", /Refusals: at most 0\.[1-4]/);
    });

    test("charts are read by keyboard: a slider over time that says its values", async (t) => {
        const page = await visit(t, browser, server);
        await shows(page, ".tile-value", /^\d/);
        await page.run("document.querySelector('.chart-plot').focus()");
        const plot = (name) =>
            page.run(`document.querySelector(".chart-plot").getAttribute("aria-value${name}")`);
        const newest = await plot("now");
        await press(page, "ArrowLeft");
        await until(async () => Number(await plot("now")) < Number(newest));
        assert.match(await plot("text"), /^\d\d:\d\d:\d\d: Starts .*, Refusals .*, a second$/);
        // The others show the same time.
        const times = await texts(page, ".chart-time");
        assert.equal(new Set(times).size, 1);
        assert.match(times[0], /^\d\d:\d\d:\d\d$/);
        await press(page, "Escape");
        await until(async () => (await texts(page, ".chart-time")).every((time) => time == ""));
    });

    test("the overview asks once a second at most", async (t) => {
        const page = await visit(t, browser, server);
        await shows(page, ".tile-value", /^\d/);
        const before = (await asked(page)).length;
        const startedAt = Date.now();
        await until(async () => (await asked(page)).length >= before + 4, 30);
        const seconds = (Date.now() - startedAt) / 1000;
        // The first one is due at any time.
        assert.ok(seconds > 2.5, `four times in ${seconds} s`);
    });

    test("a hidden tab asks for nothing, and goes on when it is seen", async (t) => {
        const page = await visit(t, browser, server);
        await shows(page, ".tile-value", /^\d/);
        await hide(page);
        const before = (await asked(page)).length;
        await new Promise((done) => setTimeout(done, 3000));
        // One may have been on its way.
        assert.ok((await asked(page)).length <= before + 1);
        await page.setWindow("normal");
        await until(async () => (await asked(page)).length > before + 2);
    });

    test("a server that is away is told with the time; the page goes on by itself", async (t) => {
        const own = await Server.start(t, []);
        const page = await visit(t, browser, own);
        await shows(page, ".tile-value", /^\d/);
        await own.stop("SIGKILL");
        await shows(page, "#banner", /^No answer from the server since \d\d:\d\d:\d\d\./);
        await assertFit(page, "the server is away");
        await own.start();
        await until(async () => (await text(page, "#banner")) == undefined, 40);
        await refuse(own, "ann");
        await shows(page, "tbody a", /^ann$/);
    });

    test("a view that is opened while the server is away waits for it", async (t) => {
        await start(server, "ann", "tv");
        const page = await visit(t, browser, server, "#/node");
        await shows(page, "h1", /^Node$/);
        const block = (...urls) => page.send("Network.setBlockedURLs", { urls });
        await block("*/v1/*");
        await go(page, "#/users");
        await shows(page, "#banner", /^No answer/);
        await block();
        await shows(page, "tbody a", /./);
        assert.equal(await text(page, "#banner"), undefined);
        await block("*/v1/*");
        await page.reload();
        await shows(page, "h1", /^No answer from the server\.$/);
        await assertFit(page, "no server");
        await block();
        await shows(page, "h1", /^Users$/);
    });

    test("what does not work, and what is not allowed, is told in place of the view", async (t) => {
        const page = await visit(t, browser, server, "#/node");
        await shows(page, ".facts", /./);
        for (const [status, detail, title, text] of [
            [
                500,
                "a stored record cannot be read",
                "This did not work",
                /A stored record cannot be read\./,
            ],
            [
                403,
                "this needs the scope admin",
                "Not allowed",
                /This needs the scope admin\. Sign in with a key/,
            ],
        ]) {
            const body = JSON.stringify({ detail });
            await page.run(
                `(window.fetch = async () => new Response(${JSON.stringify(body)}, { status: ${status} })) && 0`,
            );
            for (const hash of [
                "#/users",
                "#/users/ann",
                "#/users/ann/refusals",
                "#/events",
                "#/",
                "#/node",
            ]) {
                await go(page, hash);
                await shows(
                    page,
                    ".view > [role=alert] h2, .list > [role=alert] h2",
                    new RegExp(`^${title}$`),
                );
                await shows(page, "[role=alert]:not(#banner)", text);
                assert.equal((await texts(page, ".state.loading")).length, 0);
            }
            await assertFit(page, title);
        }
        await page.reload();
        await shows(page, ".facts", /./);
    });

    test("thousands of users come page by page, one request a page", async (t) => {
        const own = await Server.start(t, []);
        const names = Array.from({ length: 2520 }, (_, i) => `user-${i}`);
        for (let i = 0; i < names.length; i += 840) {
            const users = names.slice(i, i + 840).map((user_id) => ({ user_id, limit: 2 }));
            await own.call("POST", "/v1/import", {
                users: users.map(({ user_id }) => ({ user_id, profile: { of: "test" } })),
            });
        }
        const page = await visit(t, browser, own, "#/users");
        await shows(page, ".pages .num", /^Page 1$/);
        const seen = new Set(await texts(page, "tbody a"));
        for (let number = 2; seen.size < names.length; number++) {
            await choose(page, "Next page");
            await shows(page, ".pages .num", new RegExp(`^Page ${number}$`));
            for (const name of await texts(page, "tbody a")) seen.add(name);
        }
        assert.equal(seen.size, names.length);
        assert.equal(
            (await asked(page)).filter((path) => path == "/v1/users").length,
            Math.ceil(names.length / 50),
        );
        assert.ok(
            await page.run(`[...document.querySelectorAll(".pages button")].at(-1).disabled`),
            "the last page",
        );
        await choose(page, "Previous page");
        await shows(page, ".pages .num", /^Page 50$/);
        await choose(page, "First page");
        await shows(page, ".pages .num", /^Page 1$/);
    });

    test("a user is found by its id, whatever characters it has", async (t) => {
        const page = await visit(t, browser, server);
        for (const id of ["ann", "a/b?c#d", "ø %41 &amp;", MARKUP]) {
            await start(server, id, "tv");
            await type(page, ".search input", id);
            await press(page, "Enter");
            await until(async () => (await text(page, "h1")) == id);
            await shows(page, ".session strong", /^tv$/);
            assert.equal(await page.run("document.title"), `${id} · Streamgate console`);
        }
        assert.equal(await page.run("window.isHacked"), undefined);
    });

    test("the node shows its version, its store and what was set", async (t) => {
        const own = await Server.start(t, ["policy.default_limit=7", "plans.premium.limit=4"]);
        const { version } = await own.call("GET", "/");
        const page = await visit(t, browser, own, "#/node");
        await shows(page, ".facts", new RegExp(`Version${version}.*embedded Usable`));
        await shows(page, ".view", /policy\.default_limit73/);
        await shows(page, ".view", /This node is alone/);
        await assertFit(page, "node");
    });
});
