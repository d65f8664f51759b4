// The credential: asked for once, renewed before it expires and after a refusal.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test, { after, describe } from "node:test";
import { start } from "../dist/index.js";
import { Proxy } from "./support/proxy.js";
import { QUICK, Server } from "./support/server.js";
import { until } from "./support/wait.js";

const KEY = "sgk_test";
const BACKEND = "sgk_backend";
const key = (name, scope, text) => {
    const sha256 = createHash("sha256").update(text).digest("hex");
    return `{ name = "${name}", scope = "${scope}", sha256 = "${sha256}" }`;
};
const KEYS = `[${key("players", "player", KEY)}, ${key("backend", "service", BACKEND)}]`;

const shared = await Server.start({ after }, QUICK, { STREAMGATE_KEYS: KEYS });

/** A viewer's token, as the site's backend gets it. */
const mint = async (user, ttl_s = 3600) => {
    const response = await fetch(`${shared.url}/v1/users/${user}/tokens`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${BACKEND}` },
        body: JSON.stringify({ ttl_s }),
    });
    return (await response.json()).token;
};

/** A token that this server does not know, expiring in so many seconds. */
const jwt = (seconds) => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    // Text whose base64url has the letters that base64 has not.
    const claims = { exp: Date.now() / 1000 + seconds, name: "???>>>ÿÿ" };
    return `${part({ alg: "ES256" })}.${part(claims)}.x`;
};

describe("token", { concurrency: true }, () => {
    const setup = async (t, token, user = shared.newUser()) => {
        const asked = [];
        let session;
        t.after(() => session?.stop());
        const proxy = await Proxy.start(t, () => shared.url);
        const source = typeof token == "function" ? () => token(asked.push(Date.now())) : token;
        session = await start({ url: proxy.url, user, token: source, hold: false });
        return { proxy, asked, session };
    };
    const beats = (proxy) => proxy.seen(/POST .*\/heartbeat/);

    test("a key as text is sent with every call", async (t) => {
        const { proxy, session } = await setup(t, KEY);
        await until(() => beats(proxy).length);
        await session.stop();
        const sent = new Set(proxy.calls.map(({ headers }) => headers.authorization));
        assert.deepEqual([...sent], [`Bearer ${KEY}`]);
        assert.equal(session.state, "ended");
    });

    test("a function is asked once, as long as its token is good", async (t) => {
        const { proxy, asked } = await setup(t, async () => KEY);
        await until(() => beats(proxy).length > 1);
        assert.equal(asked.length, 1);
    });

    test("after a 401 it is asked once more, and the call sent again", async (t) => {
        const { proxy, asked } = await setup(t, (time) => (time == 1 ? "old" : KEY));
        await until(() => beats(proxy).length);
        assert.equal(asked.length, 2);
        assert.equal(proxy.seen(/PUT/).length, 2);
    });

    test("a viewer's token starts, renews, lists and stops the viewer's sessions", async (t) => {
        const user = shared.newUser();
        const { proxy, session } = await setup(t, () => mint(user), user);
        await until(() => beats(proxy).length);
        assert.equal((await session.watching())[0].sessionId, session.id);
        await session.stop();
        const own = { headers: { authorization: `Bearer ${KEY}` } };
        const list = await fetch(`${shared.url}/v1/users/${user}/sessions`, own);
        assert.equal((await list.json()).active, 0);
    });

    test("a token of another viewer is refused, and not asked for again", async (t) => {
        const asked = [];
        const token = () => (asked.push(1), mint("somebody-else"));
        await assert.rejects(setup(t, token), { code: "forbidden", status: 403 });
        assert.equal(asked.length, 1);
    });

    test("a token that soon expires is renewed before each call", async (t) => {
        const user = shared.newUser();
        const { proxy, asked } = await setup(t, () => mint(user, 60), user);
        await until(() => beats(proxy).length > 1);
        assert.ok(asked.length > 2, `${asked.length}`);
    });

    test("a second 401 is an error", async (t) => {
        await assert.rejects(setup(t, () => "old"), { code: "unauthenticated", status: 401 });
        await assert.rejects(setup(t, "old"), { code: "unauthenticated", status: 401 });
    });

    test("a token that expires within a minute is renewed before the next call", async (t) => {
        let proxy;
        const tokens = [jwt(59), jwt(3600)];
        // This server knows no such tokens: the proxy answers in its place.
        proxy = await Proxy.start(t, () => shared.url);
        proxy.answer = ({ method }) => ({
            status: method == "DELETE" ? 204 : 200,
            body: method == "DELETE" ? "" : { heartbeat_interval_s: 1 },
        });
        let asked = 0;
        const token = () => tokens[Math.min(asked++, 1)];
        const session = await start({ url: proxy.url, user: "ann", token, hold: false });
        await until(() => beats(proxy).length > 1);
        await session.stop();
        const sent = proxy.calls.map(({ headers }) => headers.authorization.slice(7));
        assert.equal(asked, 2);
        assert.equal(sent[0], tokens[0]);
        assert.deepEqual(new Set(sent.slice(1)), new Set([tokens[1]]));
    });

    test("a token source that fails is tried again, and then the start fails", async (t) => {
        const { asked } = await setup(t, (time) => {
            if (time == 1) throw new Error("backend is down");
            return KEY;
        });
        assert.equal(asked.length, 2);
        const failing = start({
            url: shared.url,
            user: shared.newUser(),
            token: () => Promise.reject(new Error("backend is down")),
            startTimeoutMs: 100,
        });
        await assert.rejects(failing, { code: "token", message: /backend is down/ });
    });
});
