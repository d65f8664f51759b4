// A start: admitted, refused, taken over, and tried while the server cannot be reached.

import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import { LimitReachedError, StreamgateError, start } from "../dist/index.js";
import { CUT, Proxy } from "./support/proxy.js";
import { Server } from "./support/server.js";
import { signal, until } from "./support/wait.js";

const server = await Server.start({ after });

describe("start", { concurrency: true }, () => {
    const setup = async (t) => {
        const sessions = [];
        t.after(() => Promise.all(sessions.map((session) => session.stop())));
        const proxy = await Proxy.start(t, () => server.url);
        const user = server.newUser();
        const play = async (options = {}) => {
            const session = await start({ url: proxy.url, user, ...options });
            sessions.push(session);
            return session;
        };
        return { proxy, user, play };
    };

    test("a session is shown with its device, its content and its attributes", async (t) => {
        const { user, play } = await setup(t);
        const session = await play({
            user: "ann smith/1",
            device: { id: "tv-1", name: "Living room", class: "tv" },
            content: { id: "film-1917", type: "film" },
            attributes: { cdn_name: "a" },
        });
        const [shown] = await session.watching();
        assert.deepEqual(
            { ...shown, startedAt: 0, lastSeenAt: 0, expiresAt: 0 },
            {
                sessionId: session.id,
                userId: "ann smith/1",
                deviceId: "tv-1",
                deviceName: "Living room",
                deviceClass: "tv",
                contentId: "film-1917",
                contentType: "film",
                attributes: { cdn_name: "a" },
                startedAt: 0,
                lastSeenAt: 0,
                expiresAt: 0,
            },
        );
        assert.deepEqual([session.state, session.limit, session.active], ["live", 1, 1]);
        await session.stop();
        assert.deepEqual([session.state, session.ended], ["ended", undefined]);
        assert.deepEqual(await server.watching("ann%20smith%2F1"), []);
    });

    test("a refusal says who is watching, and takes over", async (t) => {
        const { play } = await setup(t);
        const ended = signal();
        const tv = { id: "tv-1", name: "Living room" };
        const first = await play({ device: tv, onEnded: ended.resolve });
        const refusal = await play({ device: { id: "p-1", name: "Phone" } }).catch((e) => e);
        assert.ok(refusal instanceof LimitReachedError && refusal instanceof StreamgateError);
        const { code, status, limit, active, rule, sessionsTotal } = refusal;
        assert.deepEqual(
            { code, status, limit, active, rule, sessionsTotal },
            { code: "limit_reached", status: 409, limit: 1, active: 1, rule: "limit", sessionsTotal: 1 },
        );
        assert.equal(refusal.sessions[0].deviceName, "Living room");
        assert.ok(Date.parse(refusal.nextSlotAt) > Date.now());

        const second = await refusal.takeOver(first.id);
        const told = await ended;
        assert.equal(told.reason, "terminated");
        assert.deepEqual([told.by.sessionId, told.by.deviceName], [second.id, "Phone"]);
        assert.ok(Date.parse(told.endedAt));
        assert.deepEqual([first.state, first.ended], ["ended", told]);
    });

    test("a takeover of a session that another player took over is refused", async (t) => {
        const { play } = await setup(t);
        const first = await play();
        const [one, two] = await Promise.all([1, 2].map(() => play().catch((e) => e)));
        const winner = await one.takeOver(first.id);
        const again = await two.takeOver(first.id).catch((error) => error);
        assert.ok(again instanceof LimitReachedError);
        assert.equal(again.sessions[0].sessionId, winner.id);
    });

    test("an answer that is lost is asked for again, and takes one slot", async (t) => {
        const { user, proxy, play } = await setup(t);
        const retries = [];
        let lost = 0;
        proxy.answer = ({ method, path }, response) => {
            if (method != "PUT" || lost++ > 1) return undefined;
            // The server does what it is asked, and nobody hears.
            void server.call("PUT", path);
            return CUT;
        };
        const session = await play({ onRetry: (error) => retries.push(error.code) });
        assert.deepEqual(retries, ["unreachable", "unreachable"]);
        const [shown, ...others] = await server.watching(user);
        assert.deepEqual([shown.session_id, others], [session.id, []]);
    });

    test("a start that is wrong is not tried again", async (t) => {
        const { proxy, play } = await setup(t);
        const error = await play({ region: "x".repeat(300) }).catch((e) => e);
        assert.deepEqual([error.code, error.status], ["invalid_request", 400]);
        assert.equal(error.errors[0].field, "region");
        assert.match(error.message, /region/);
        assert.equal(proxy.seen(/PUT/).length, 1);
    });

    test("a server that is busy is asked again when it says", async (t) => {
        const { proxy, play } = await setup(t);
        let refused = false;
        proxy.answer = ({ method }) => {
            if (method != "PUT" || refused) return undefined;
            refused = true;
            return { status: 503, headers: { "retry-after": "1" }, body: "<html>" };
        };
        const errors = [];
        await play({ onRetry: (error) => errors.push(error) });
        const [first, second] = proxy.seen(/PUT/);
        assert.ok(second.at - first.at >= 990, `${second.at - first.at}`);
        assert.deepEqual([errors[0].code, errors[0].retryAfterMs], ["http", 1000]);
    });

    test("a page that a portal sends in place of an answer admits nobody", async (t) => {
        const { proxy, user, play } = await setup(t);
        let isCaught = true;
        proxy.answer = () => isCaught && { body: "<html>Please sign in</html>" };
        const onRetry = () => (isCaught = false);
        const session = await play({ onRetry });
        assert.equal((await server.watching(user))[0].session_id, session.id);
    });

    test("fail mode closed: without a server nothing starts", async (t) => {
        const { proxy, play } = await setup(t);
        proxy.answer = () => CUT;
        const error = await play({ startTimeoutMs: 300 }).catch((e) => e);
        assert.deepEqual([error.code, error.status], ["unreachable", 0]);
        // It may have been admitted: the slot is given back.
        await until(() => proxy.seen(/POST .*\/stop/).length);
    });

    test("fail mode open: without a server the viewer plays, and the slot is taken later", async (t) => {
        const { user, proxy, play } = await setup(t);
        proxy.answer = () => CUT;
        const open = { startTimeoutMs: 100, failMode: "open" };
        const session = await play(open);
        assert.equal(session.state, "degraded");
        proxy.answer = () => undefined;
        await until(() => session.state == "live");
        assert.equal((await server.watching(user)).length, 1);
    });

    test("fail mode open: a viewer without a slot is told once the server is back", async (t) => {
        const { user, proxy, play } = await setup(t);
        await server.call("PUT", `/v1/users/${user}/sessions/tv`, { device_name: "TV" });
        proxy.answer = () => CUT;
        const told = signal();
        const open = { startTimeoutMs: 100, failMode: "open", onEnded: told.resolve };
        await play(open);
        proxy.answer = () => undefined;
        const { reason, refusal } = await told;
        assert.equal(reason, "refused");
        assert.equal(refusal.sessions[0].deviceName, "TV");
        const session = await refusal.takeOver("tv");
        assert.equal(session.state, "live");
        await session.stop();
    });

    test("the next episode goes on in the same slot, and the one before ends in silence", async (t) => {
        const { user, play } = await setup(t);
        const tv = { id: "tv-1", name: "Living room" };
        let told = 0;
        const onEnded = () => told++;
        const first = await play({ device: tv, content: { id: "e1" }, onEnded });
        const second = await first.next({ content: { id: "e2" } });
        assert.equal(first.state, "ended");
        const [shown] = await server.watching(user);
        assert.deepEqual(
            [shown.session_id, shown.content_id, shown.device_name],
            [second.id, "e2", "Living room"],
        );
        await first.stop();
        await until(() => second.active == 1);
        assert.equal(told, 0);
    });

    test("a failed start of the next episode leaves the session as it is", async (t) => {
        const { user, play } = await setup(t);
        const first = await play();
        await assert.rejects(first.next({ region: "" }), { code: "invalid_request" });
        assert.equal(first.state, "live");
        assert.equal((await server.watching(user))[0].session_id, first.id);
    });
});
