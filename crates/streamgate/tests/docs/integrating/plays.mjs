// Uses the app and the player of the page. Argument: the URL of the backend of the page.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { play } from "./app.mjs";
import { Playback } from "./player.mjs";

const api = process.env.STREAMGATE;
const backend = process.argv[2];

let tokens = 0;
async function fetchToken() {
  tokens += 1;
  const answer = await fetch(backend, { headers: { cookie: "session=4f0c" } });
  return (await answer.json()).token;
}
assert.equal((await fetch(backend)).status, 401);

// Three play, one of them without push; a fourth takes the slot of the one that the viewer chooses.
function app(withPush, chosen) {
  let showReason;
  const reason = new Promise((show) => (showReason = show));
  const chooseSession = async (sessions, until) => {
    assert.equal(sessions.length, 3);
    assert.ok(new Date(until) > new Date());
    return sessions[chosen]?.session_id;
  };
  const playback = play({ api, user: "ann", fetchToken, chooseSession, showReason, withPush });
  return { playback, reason };
}
const first = app(true);
const firstPlayback = await first.playback;
const second = app(false);
const secondPlayback = await second.playback;
const third = app(true);
const thirdPlayback = await third.playback;
assert.equal(await app(true, undefined).playback, undefined, "the viewer chose none");
const fourth = app(true, 0);
const fourthPlayback = await fourth.playback;
assert.equal(await first.reason, "terminated");
const fifth = app(true, 0);
const fifthPlayback = await fifth.playback;
assert.equal(await second.reason, "terminated");

// A token that is not taken any more is replaced, once.
const before = tokens;
thirdPlayback.token = "a.b.c";
assert.equal((await thirdPlayback.stop()).status, 204);
assert.equal(tokens, before + 1);
assert.equal(await third.reason, "stopped");
await fourthPlayback.stop();
await fifthPlayback.stop();
assert.deepEqual([await fourth.reason, await fifth.reason], ["stopped", "stopped"]);

// 503 and no answer are repeated.
let calls = 0;
const away = createServer((request, response) => {
  calls += 1;
  if (calls === 1) request.socket.destroy();
  else if (calls === 2) response.writeHead(503, { "retry-after": "1" }).end();
  else response.writeHead(201).end(JSON.stringify({ heartbeat_interval_s: 1 }));
});
await new Promise((listens) => away.listen(0, "127.0.0.1", listens));
const patient = new Playback({
  api: `http://127.0.0.1:${away.address().port}`,
  user: "ann",
  session: "s",
  fetchToken,
});
assert.equal(await patient.start(), undefined);
assert.equal(calls, 3);
away.close();
away.closeAllConnections();
assert.ok(firstPlayback && secondPlayback);
console.log("played");
process.exit(0);
