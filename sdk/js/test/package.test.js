// The package: its size, what it exports, what is in it, and that its README is true.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { describe } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { PACKAGE } from "./support/tools.js";

const MAX_BYTES = 4096;
const LICENCES = ["LICENSE-APACHE", "LICENSE-MIT"];

/** Runs a program in the package; fails with all that it says. */
async function run(command, ...flags) {
    const options = { cwd: PACKAGE, maxBuffer: 1 << 24 };
    return promisify(execFile)(command, flags, options).catch((error) => {
        throw new Error(`${command}: ${error.stdout}${error.stderr}`);
    });
}

describe("package", { concurrency: true }, () => {
    test("it is under 4 KiB, and smaller without what is not used", async () => {
        const whole = await bytes("export * from './dist/index.js'");
        const start = await bytes("export { start } from './dist/index.js'");
        assert.ok(whole < MAX_BYTES, `${whole} bytes`);
        assert.ok(start < whole - 200, `${start} of ${whole} bytes without attach`);
    });

    test("it has no dependencies, and the version of the server", async () => {
        const { dependencies, version } = JSON.parse(await readFile(join(PACKAGE, "package.json")));
        assert.equal(dependencies, undefined);
        const workspace = await readFile(join(PACKAGE, "../../Cargo.toml"), "utf8");
        const [, own] = workspace.split("[workspace.package]");
        assert.equal(version, /^version = "(.*?)"/m.exec(own)[1]);
    });

    test("its API is the one that was reviewed", async () => {
        // Also fails for a public item without documentation.
        const update = process.env.UPDATE_GENERATED ? ["--local"] : [];
        await run("api-extractor", "run", ...update);
    });

    test("what is packed is what is to be published", async () => {
        // The script that runs before would write `dist` while other tests read it.
        for (const name of LICENCES) await copyFile(join(PACKAGE, "../..", name), join(PACKAGE, name));
        const { stdout } = await run("npm", "pack", "--dry-run", "--json", "--ignore-scripts");
        const names = JSON.parse(stdout)[0].files.map(({ path }) => path);
        const others = names.filter((name) => !/^dist\/\w+(\.d)?\.(js|ts)$/.test(name));
        const expected = [...LICENCES, "README.md", "package.json"];
        const recipes = ["recipes/hlsjs.js", "recipes/shaka.js", "recipes/videojs.js"];
        assert.deepEqual(others.sort(), [...expected, ...recipes].sort());
        for (const name of ["dist/index.js", "dist/index.d.ts", "dist/worker.js"]) {
            assert.ok(names.includes(name), name);
        }
        await run("publint", "--strict");
    });

    test("the worker's file and the worker that is made inline are the same", async () => {
        const worker = await readFile(join(PACKAGE, "dist/worker.js"), "utf8");
        const [code] = /^setInterval.*$/m.exec(worker);
        const timer = await readFile(join(PACKAGE, "dist/timer.js"), "utf8");
        const [, inline] = /INLINE = `(.*)`/.exec(timer);
        const [, tick] = /TICK_MS = (\w+)/.exec(timer);
        assert.equal(code.replaceAll(/[ ;]/g, ""), inline.replace("${TICK_MS}", tick));
    });

    test("the examples of the README compile", async (t) => {
        const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
        const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)];
        assert.equal(examples.length, 2);
        const dir = await mkdtemp(join(PACKAGE, "dist/readme-"));
        t.after(() => rm(dir, { recursive: true }));
        const files = examples.map((_, index) => join(dir, `example-${index}.ts`));
        await Promise.all(examples.map(([, code], index) => writeFile(files[index], code)));
        const flags = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext"];
        // The package refers to itself by its name.
        await run("tsc", ...flags, ...files);
    });
});

/** The size of a module with all that it imports, minified and gzipped. */
async function bytes(module) {
    const flags = ["--bundle", "--format=esm", "--minify"];
    const building = promisify(execFile)("esbuild", flags, { cwd: PACKAGE });
    building.child.stdin.end(module);
    return gzipSync((await building).stdout, { level: 9 }).length;
}
