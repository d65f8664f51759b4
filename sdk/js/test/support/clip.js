// A film of three seconds: as a file, as HLS and as DASH.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { TOOLS } from "./tools.js";

const FFMPEG = join(TOOLS, "@ffmpeg-installer/linux-x64/ffmpeg");
const PICTURE = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=24"];
const CODEC = ["-t", "3", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "24"];
const HLS = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"];

/** Makes film.mp4, film.m3u8 and film.mpd in a directory that ends with the test; its URL. */
export async function makeClip(test) {
    const dir = await mkdtemp(join(tmpdir(), "clip-"));
    test.after(() => rm(dir, { recursive: true }));
    const outputs = [["film.mp4"], [...HLS, "film.m3u8"], ["-f", "dash", "-seg_duration", "1", "film.mpd"]];
    const make = (output) =>
        promisify(execFile)(FFMPEG, ["-v", "error", ...PICTURE, ...CODEC, ...output], { cwd: dir });
    await Promise.all(outputs.map(make));
    return new URL(`${pathToFileURL(dir)}/`);
}
