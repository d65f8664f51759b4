// Where test/run installs the npm packages of the tests.

import { fileURLToPath } from "node:url";

/** The directory `node_modules`. */
export const TOOLS = fileURLToPath(new URL("../../../../.tools/sdk/node_modules/", import.meta.url));

/** The directory of the package. */
export const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
