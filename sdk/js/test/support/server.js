// A Streamgate server as a process, on a port and a data directory of its own.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";

const BINARY = process.env.STREAMGATE_BINARY;

/** Short leases, and pages of any origin: what nearly every test wants. */
export const QUICK = [
    "policy.lease_s=5",
    "policy.heartbeat_interval_s=1",
    "policy.default_limit=1",
    "cors.allowed_origins=*",
];

export class Server {
    #settings;
    #environment;
    #child;
    #dir;
    #users = 0;
    /** Where it listens; the same after a restart. */
    url = "http://127.0.0.1:0";

    constructor(settings, environment) {
        this.#settings = settings;
        this.#environment = environment;
    }

    /** Starts a server that ends with the test; with the file, for `{ after }`. */
    static async start(test, settings = QUICK, environment = {}) {
        const server = new Server(settings, environment);
        server.#dir = await mkdtemp(join(tmpdir(), "sdk-"));
        await server.start();
        test.after(async () => {
            await server.stop("SIGKILL");
            await rm(server.#dir, { recursive: true });
        });
        return server;
    }

    async start() {
        const listen = this.url.slice("http://".length);
        const settings = this.#settings.flatMap((setting) => ["--set", setting]);
        const flags = ["--listen", listen, "--data-dir", this.#dir, "--durability", "none"];
        this.#child = spawn(BINARY, ["serve", ...flags, ...settings], {
            env: { PATH: process.env.PATH, ...this.#environment },
        });
        let said = "";
        for (const stream of [this.#child.stdout, this.#child.stderr]) {
            stream.on("data", (bytes) => (said += bytes));
        }
        while (!/listening on (http:\S+)/.test(said)) {
            const ended = once(this.#child, "exit").then(() => true);
            if (await Promise.race([ended, once(this.#child.stdout, "data").then(() => false)])) {
                throw new Error(`the server ended: ${said}`);
            }
        }
        this.url = /listening on (http:\S+)/.exec(said)[1];
    }

    async stop(signal = "SIGTERM") {
        if (this.#child.exitCode != null || this.#child.signalCode) return;
        this.#child.kill(signal);
        await once(this.#child, "exit");
    }

    /** Stops it, and forgets all that it stored. */
    async forget() {
        await this.stop();
        await rm(this.#dir, { recursive: true });
    }

    /** Calls the API as a service would: the status and the body. */
    async call(method, path, body) {
        const response = await fetch(this.url + path, {
            method,
            body: body && JSON.stringify(body),
            headers: body && { "content-type": "application/json" },
        });
        const text = await response.text();
        return { status: response.status, ...(text && JSON.parse(text)) };
    }

    /** The name of a user that no other test has. */
    newUser() {
        return `user-${++this.#users}`;
    }

    /** The sessions of a user that hold slots. */
    async watching(user) {
        return (await this.call("GET", `/v1/users/${user}/sessions`)).sessions;
    }
}
