// Uses types that openapi-typescript has generated, against a real server: compiled, and run by node.

import type { components, paths } from "./core";
import type { paths as LogPaths } from "./stream-log";

type Schemas = components["schemas"];
type Start = paths["/v1/users/{user_id}/sessions/{session_id}"]["put"];
type StartBody = NonNullable<Start["requestBody"]>["content"]["application/json"];
type Refusal = Start["responses"][409]["content"]["application/problem+json"];
type Log = LogPaths["/{stage}/stream"];
type LogStarted = Log["post"]["responses"][201]["content"]["application/json"];
type LogEnd = Log["delete"]["requestBody"]["content"]["application/json"];

declare const process: { argv: string[]; exit(code: number): never };

const url = process.argv[2];

const key = { "x-api-key": "the-key-of-the-test" };

async function send<Body>(
    method: string,
    path: string,
    body?: Body,
    credential: Record<string, string> = key,
): Promise<Response> {
    const headers = { "content-type": "application/json", ...credential };
    return fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
}

function say(what: string, condition: boolean): void {
    if (!condition) {
        console.error(`${what} is not as the types say`);
        process.exit(1);
    }
}

/** What a start or heartbeat that failed says: told apart by its constant code. */
function reason(problem: Schemas["SessionEnded"] | Refusal): string {
    switch (problem.code) {
        case "session_ended":
            return problem.reason;
        case "limit_reached":
            return `${problem.rule} ${problem.limit}, held by ${problem.sessions.length}`;
        case "session_taken":
            return problem.detail;
    }
}

/** The first event of this name. Its data has the type that the document names. */
async function event<Data>(stream: Response, name: string): Promise<Data> {
    const chunks = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ; ) {
        const found = text.match(`event: ${name}\ndata: (.*)\n\n`);
        if (found) {
            await chunks.cancel();
            return JSON.parse(found[1]);
        }
        const { done, value } = await chunks.read();
        say(`${name} in ${text}`, !done);
        text += value;
    }
}

async function play(): Promise<void> {
    // Members are plain: nothing but a text fits, and nothing must be given.
    const body: StartBody = { device_id: "tv", terminate: [] };
    for (const session of ["a", "b", "c"]) {
        const answer = await send("PUT", `/v1/users/dan/sessions/${session}`, body);
        const started: Schemas["StartAnswer"] = await answer.json();
        say("start", answer.status === 201 && started.session.session_id === session);
    }
    const refused: Refusal = await (await send("PUT", "/v1/users/dan/sessions/d")).json();
    say("refusal", reason(refused) === "limit 3, held by 3");
    const renewed = await send("POST", "/v1/users/dan/sessions/a/heartbeat");
    const heartbeat: Schemas["HeartbeatAnswer"] = await renewed.json();
    say("heartbeat", heartbeat.active === 3);
    const list: Schemas["UserSessions"] = await (await send("GET", "/v1/users/dan/sessions")).json();
    const ids: string[] = list.sessions.map((session) => session.session_id);
    say("list", ids.join() === "a,b,c" && list.next_cursor === null);
    // The other problem of a start, told apart by its code.
    const again = await send("PUT", "/v1/users/dan/sessions/a", { device_id: "phone" });
    const taken: Refusal = await again.json();
    say("taken", taken.code === "session_taken" && taken.status === 409);
    say("stop", (await send("DELETE", "/v1/users/dan/sessions/a")).status === 204);
    const ended: Schemas["SessionEnded"] = await (
        await send("POST", "/v1/users/dan/sessions/a/heartbeat")
    ).json();
    say("ended", reason(ended) === "stopped");

    const stream = await send("GET", "/v1/users/dan/events");
    const gone = event<Schemas["EndedEvent"]>(stream, "ended");
    say("stop", (await send("DELETE", "/v1/users/dan/sessions/b")).status === 204);
    const { reason: why, session } = await gone;
    say("ended event", why === "stopped" && session?.device_id === "tv");

    const asked: Schemas["TokenRequest"] = { ttl_s: 60 };
    const minted: Schemas["MintedToken"] = await (
        await send("POST", "/v1/users/dan/tokens", asked)
    ).json();
    const token = { authorization: `${minted.token_type} ${minted.token}` };
    say("viewer", (await send("GET", "/v1/users/dan/sessions", undefined, token)).status === 200);
    const other: Schemas["Problem"] = await (
        await send("GET", "/v1/users/eve/sessions", undefined, token)
    ).json();
    say("another user", other.code === "forbidden" && other.status === 403);

    const log = "/compat/stream-log/dev/stream";
    const started: LogStarted = await (await send("POST", log, { userId: "eve" })).json();
    const watched: LogEnd = { userId: "eve", streamId: started.message.streamId };
    say("end", (await send("DELETE", log, watched)).status === 204);
    console.log("played");
}

void play();
