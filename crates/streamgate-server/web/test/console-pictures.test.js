// Pictures of the console for the documents. UPDATE_PICTURES=1 takes them, after a minute of traffic.

import test, { after } from "node:test";
import { go, start, visit } from "./console.js";
import { Browser, Server, look, picture, shows } from "./support.js";

const TRAFFIC_S = 66;
const DEVICES = ["Living room TV", "Phone", "Laptop", "Tablet", "Kitchen tablet", "Bedroom TV"];
const CLASSES = ["tv", "phone", "web", "tablet", "tablet", "tv"];

const browser = await Browser.launch({ after });
const settings = [
    "policy.lease_s=20",
    "policy.heartbeat_interval_s=5",
    "plans.premium.limit=4",
    "plans.basic.limit=1",
];
const server = await Server.start({ after }, settings);

/** Starts and endings of many users, which rise and fall; some refused, some lost, some stopped. */
async function traffic(seconds) {
    const ends = Date.now() + seconds * 1000;
    const live = [];
    for (let number = 0; Date.now() < ends; number++) {
        const left = (ends - Date.now()) / 1000;
        const user = `family-${1000 + ((number * 7919) % 331)}`;
        const at = number % DEVICES.length;
        const facts = {
            device_name: DEVICES[at],
            device_class: CLASSES[at],
            content_id: `film-${number % 41}`,
        };
        const id = `playback-${number}`;
        const { status } = await start(server, user, id, facts);
        if (status == 201) live.push([user, id]);
        const own = live.findIndex(([one]) => one == user);
        if (status == 409 && number % 3 == 0 && own >= 0) {
            const [[, terminated]] = live.splice(own, 1);
            await start(server, user, id, { ...facts, terminate: [terminated] });
            live.push([user, id]);
        }
        if (number % 3) {
            const [[owner, session] = []] = live.splice(number % Math.max(1, live.length), 1);
            if (owner) await server.call("DELETE", `/v1/users/${owner}/sessions/${session}`);
        }
        if (number % 150 == 149) await server.call("PUT", `/v1/users/${user}`, { limit: 0 });
        await new Promise((done) => setTimeout(done, 25 + 20 * Math.sin(left / 6)));
    }
}

/** A family of three: one device after the other starts and is renewed; at the end a fourth is refused. */
async function family(seconds) {
    const contents = ["film-harbour", "series-12-e04", "live-news"];
    const ends = Date.now() + seconds * 1000;
    for (let turn = 0; Date.now() < ends; turn++) {
        const at = turn % 3;
        const past = seconds - (ends - Date.now()) / 1000;
        const facts = { content_id: contents[at], device_class: CLASSES[at] };
        if (past >= at * 20) await start(server, "ann", DEVICES[at], facts);
        await new Promise((done) => setTimeout(done, 2000));
    }
    await start(server, "ann", "Tablet", { content_id: "film-night-train", device_class: "tablet" });
}

test("views of the console are drawn for the documents", async (t) => {
    const page = await visit(t, browser, server, "#/?span=60");
    await shows(page, ".tile-value", /^\d/);
    const isDrawn = process.env.UPDATE_PICTURES != undefined;
    const draw = async (name, height) => {
        for (const theme of ["light", "dark"]) {
            await look(page, theme, 1280);
            const size = { width: 1280, height, deviceScaleFactor: 1, mobile: false };
            await page.send("Emulation.setDeviceMetricsOverride", size);
            await picture(page, `console-${name}-${theme}`);
        }
    };
    const over = isDrawn && Promise.all([traffic(TRAFFIC_S + 10), family(TRAFFIC_S + 10)]);
    // A minute of traffic, which goes on while it is drawn.
    if (isDrawn) await new Promise((done) => setTimeout(done, TRAFFIC_S * 1000));
    await draw("overview", 860);
    await over;
    for (const [hash, name, place, height] of [
        ["#/users/ann/refusals", "refusal", ".story", 620],
        ["#/users/ann", "user", ".session", 660],
    ]) {
        await go(page, hash);
        if (isDrawn) await shows(page, place, /./);
        await draw(name, height);
    }
});
