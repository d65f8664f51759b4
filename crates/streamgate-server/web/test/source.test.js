// The source of the pages: types, the copy of the SDK, and what the policy forbids anyway.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { PACKAGE } from "../../../../sdk/js/test/support/tools.js";
import { WEB } from "./support.js";

const SDK = join(WEB, "sdk");

/** The files of the pages that end so, from the folder of the pages. */
async function files(end) {
    const folders = ["shared", "front", "demo", "console"];
    const names = await Promise.all(folders.map((folder) => readdir(join(WEB, folder))));
    const all = names.flatMap((inside, at) => inside.map((name) => join(WEB, folders[at], name)));
    return all.filter((name) => name.endsWith(end));
}

test("the types of the pages hold", async () => {
    await promisify(execFile)("tsc", ["-p", WEB]).catch(({ stdout }) => assert.fail(stdout));
});

test("the SDK of the demo is the one of this repository, compiled", async () => {
    const dist = join(PACKAGE, "dist");
    const compiled = (await readdir(dist)).filter((name) => name.endsWith(".js"));
    if (process.env.UPDATE_GENERATED) {
        for (const name of await readdir(SDK)) await rm(join(SDK, name));
        for (const name of compiled) await copyFile(join(dist, name), join(SDK, name));
    }
    assert.deepEqual((await readdir(SDK)).sort(), compiled.sort(), "UPDATE_GENERATED=1 ./test --sdk");
    for (const name of compiled) {
        const [ours, theirs] = [await readFile(join(SDK, name), "utf8"), await readFile(join(dist, name), "utf8")];
        assert.equal(ours, theirs, `${name}: UPDATE_GENERATED=1 ./test --sdk`);
    }
});

test("no page has an inline script or style, a link without a place below a path, or an outer address", async () => {
    for (const name of await files(".html")) {
        const html = await readFile(name, "utf8");
        assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/, name);
        assert.doesNotMatch(html, /(?:src|href)="(?:\/|\w+:)/, name);
    }
});

test("nothing becomes markup, or code, by a script", async () => {
    for (const name of await files(".js")) {
        const script = await readFile(name, "utf8");
        assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, name);
    }
});

test("colours stand in the tokens only, but for the stage of the demo", async () => {
    for (const name of await files(".css")) {
        if (/(tokens|demo|watch)\.css$/.test(name)) continue;
        assert.doesNotMatch(await readFile(name, "utf8"), /#[0-9a-f]{3,8}\b|rgb\(|hsl\(/i, name);
    }
});
