// @neondatabase/api-client against the simulated Neon: the life of a project, and every refusal as the client reports it.
// The environment says where the API is, what key opens it, and which organization the key's owner has.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createApiClient } from "@neondatabase/api-client";

const { NEON_API_HOST: baseURL, NEON_API_KEY: apiKey, NEON_ORG_ID: org_id } = process.env;
const neon = createApiClient({ apiKey, baseURL });

/** Fails unless the call is refused with this status and these words. */
async function refused(call, status, words) {
  await assert.rejects(call, (error) => error.response?.status === status && error.response.data.message.includes(words));
}

/** Waits for the operations of an answer, and passes its data on. */
async function finished({ data }) {
  for (const { project_id, id } of data.operations ?? []) {
    for (;;) {
      const { operation } = (await neon.getProjectOperation(project_id, id)).data;
      if (operation.status === "finished") break;
      assert.ok(["scheduling", "running"].includes(operation.status), JSON.stringify(operation));
      await sleep(50);
    }
  }
  return data;
}

assert.equal((await neon.getCurrentUserInfo()).data.login, "operator");
assert.deepEqual((await neon.getCurrentUserOrganizations()).data.organizations.map(({ id }) => id), [org_id]);
assert.ok((await neon.getActiveRegions()).data.regions.some(({ region_id }) => region_id === "aws-eu-central-1"));
await refused(createApiClient({ apiKey: "wrong", baseURL }).getCurrentUserInfo(), 401, "supplied credentials do not pass authentication");
await refused(neon.listProjects({}), 400, "org_id is required");
await refused(neon.getProject("none"), 404, "project not found");

const names = { database_name: "app", role_name: "app_owner" };
const wanted = { name: "api-client", org_id, region_id: "aws-eu-central-1", pg_version: 17, branch: names };
const created = await neon.createProject({ project: wanted });
assert.equal(created.status, 201);
const { project, branch, endpoints: [endpoint], roles: [role] } = created.data;
const early = neon.createProjectBranchRole(project.id, branch.id, { role: { name: "early" } });
await refused(early, 423, "project already has running conflicting operations");
await finished(created);

// The last page has a cursor too.
const page = (await neon.listProjects({ org_id, search: "api-client" })).data;
assert.deepEqual(page.projects.map(({ id }) => id), [project.id]);
assert.deepEqual((await neon.listProjects({ org_id, search: "api-client", cursor: page.pagination.cursor })).data.projects, []);

const settings = { allowed_ips: { ips: ["192.0.2.1"] } };
await finished(await neon.updateProject(project.id, { project: { history_retention_seconds: 0, settings } }));
const shown = (await neon.getProject(project.id)).data.project;
assert.deepEqual([shown.history_retention_seconds, shown.settings.allowed_ips.ips], [0, ["192.0.2.1"]]);

const range = { autoscaling_limit_min_cu: 1, autoscaling_limit_max_cu: 4, suspend_timeout_seconds: -1 };
const resized = await finished(await neon.updateProjectEndpoint(project.id, endpoint.id, { endpoint: range }));
assert.deepEqual(resized.operations.map(({ action }) => action), ["suspend_compute", "start_compute"]);

await finished(await neon.createProjectBranchRole(project.id, branch.id, { role: { name: "reader" } }));
await finished(await neon.createProjectBranchDatabase(project.id, branch.id, { database: { name: "reports", owner_name: "reader" } }));
const reserved = { database: { name: "postgres", owner_name: "reader" } };
await refused(neon.createProjectBranchDatabase(project.id, branch.id, reserved), 400, "reserved");
const listed = (await neon.listProjectBranchDatabases(project.id, branch.id)).data.databases;
assert.deepEqual(listed.map(({ name, owner_name }) => [name, owner_name]), [["app", "app_owner"], ["reports", "reader"]]);

const reset = await finished(await neon.resetProjectBranchRolePassword(project.id, branch.id, role.name));
assert.notEqual(reset.role.password, role.password);
assert.equal((await neon.getProjectBranchRolePassword(project.id, branch.id, role.name)).data.password, reset.role.password);
const { uri } = (await neon.getConnectionUri({ projectId: project.id, database_name: "app", role_name: role.name, pooled: true })).data;
assert.equal(new URL(uri).hostname, endpoint.host.replace(endpoint.id, `${endpoint.id}-pooler`));

for (const deed of ["suspendProjectEndpoint", "startProjectEndpoint", "restartProjectEndpoint"]) {
  await finished(await neon[deed](project.id, endpoint.id));
}
assert.equal((await neon.deleteProject(project.id)).status, 200);
await refused(neon.getProject(project.id), 404, "project not found");
