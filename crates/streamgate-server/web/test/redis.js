// A Redis of a test's own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How often another port is tried, if somebody took the one that was free. */
const TRIES = 5;

/** Starts a Redis that ends with the test; its URL. */
export async function startRedis(test) {
    const dir = await mkdtemp(join(tmpdir(), "redis-"));
    test.after(() => rm(dir, { recursive: true }));
    for (let tries = 0; tries < TRIES; tries++) {
        const port = await freePort();
        const flags = ["--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"];
        const child = spawn("redis-server", flags, { stdio: ["ignore", "pipe", "inherit"] });
        const ended = once(child, "exit");
        if (await hasStarted(child, ended)) {
            test.after(async () => {
                child.kill("SIGKILL");
                await ended;
            });
            return `redis://127.0.0.1:${port}`;
        }
    }
    throw new Error("redis-server does not start");
}

/** Whether it listens, rather than ends. */
async function hasStarted(child, ended) {
    let said = "";
    const ready = new Promise((resolve) => {
        child.stdout.on("data", (bytes) => {
            said += bytes;
            if (/Ready to accept connections/.test(said)) resolve(true);
        });
    });
    return Promise.race([ready, ended.then(() => false)]);
}

async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}
