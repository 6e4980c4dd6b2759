// Looks up a project as Renovate does for `datasource: pypi`, and prints the result as JSON.
// The first argument is Renovate's folder; the question comes by standard input, so that no password is in a process list.
import { text } from 'node:stream/consumers';

const [renovate] = process.argv.slice(2);
const load = (path) => import(`${renovate}/dist/${path}.js`);
const { GlobalConfig } = await load('config/global');
const hostRules = await load('util/host-rules');
const { getPkgReleases } = await load('modules/datasource/index');

const { packageName, registryUrl, rules, folder } = JSON.parse(await text(process.stdin));
GlobalConfig.set({ localDir: folder, cacheDir: folder });
rules.forEach((rule) => hostRules.add(rule));
const found = await getPkgReleases({ datasource: 'pypi', packageName, registryUrls: [registryUrl] });
process.stdout.write(`\n${JSON.stringify(found)}\n`);
