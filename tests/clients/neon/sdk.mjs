// @neon/sdk against the simulated Neon: its workflows, which poll operations and try again what was refused for the moment.
// The environment says where the API is, what key opens it, and which organization the key's owner has.
// tests/tests/neon_clients.rs lets some calls fail for the moment, with 429, 503 and 423, and the operation of a new role for good.

import assert from "node:assert/strict";
import { createNeonClient } from "@neon/sdk";

const { NEON_API_HOST: baseUrl, NEON_API_KEY: apiKey, NEON_ORG_ID: orgId } = process.env;
const neon = createNeonClient({ apiKey, baseUrl, orgId, throwOnError: true, wait: { pollIntervalMs: 50 } });

const { project, connectionString } = await neon.projects.createAndConnect({ name: "sdk", region_id: "aws-eu-central-1", pooled: false });
const projectId = project.id;
assert.match(connectionString, /^postgresql:\/\/neondb_owner:npg_\w+@ep-[a-z0-9-]+\.c-2\.eu-central-1\.aws\.neon\.tech\/neondb\?/);
assert.deepEqual((await neon.projects.list({ search: "sdk" }).all()).map(({ id }) => id), [projectId]);

const main = await neon.branches.getDefault({ projectId });
const child = await neon.branches.createAndConnect({ projectId, name: "preview", parentId: main.id, compute: { minCu: 0.25, maxCu: 2 } });
assert.deepEqual([child.branch.parent_id, child.endpoint.autoscaling_limit_max_cu], [main.id, 2]);
assert.ok(child.connectionString.includes(`@${child.endpoint.id}-pooler.`));
const branch = { projectId, branchId: child.branch.id };
const wait = { waitForReadiness: true };
await neon.branches.resetFromParent(branch, wait);
await neon.postgres.databases.create({ ...branch, name: "reports", owner_name: "neondb_owner" }, wait);
assert.deepEqual((await neon.postgres.databases.list(branch)).map(({ name }) => name), ["neondb", "reports"]);
const endpoint = { projectId, endpointId: child.endpoint.id };
assert.equal((await neon.postgres.endpoints.update({ ...endpoint, autoscaling_limit_max_cu: 1 }, wait)).autoscaling_limit_max_cu, 1);
await neon.postgres.endpoints.suspend(endpoint, wait);
assert.equal((await neon.postgres.endpoints.get(endpoint)).current_state, "idle");
await neon.branches.delete(branch, wait);

/** Fails unless the call is refused with an error of this kind. */
async function refused(call, kind) {
  await assert.rejects(call, (error) => error.kind === kind);
}
await refused(neon.branches.get(branch), "not_found");
await refused(createNeonClient({ apiKey: "wrong", baseUrl, throwOnError: true }).projects.get({ projectId }), "auth");
await refused(neon.postgres.roles.create({ projectId, branchId: main.id, name: "doomed" }, wait), "operation");
await neon.projects.delete({ projectId });
await refused(neon.projects.get({ projectId }), "not_found");
