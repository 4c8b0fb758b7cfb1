// Graphile Worker: jobs are rows, deleted when done.
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { connect, main, payload } from "./peer.mjs";

const quiet = new Logger(() => () => {});
const pgPool = connect(16);
let utils;

main({
	async prepare(first = false) {
		utils = await makeWorkerUtils({ pgPool, logger: quiet });
		if (first)
			await utils.migrate();
	},
	submitOne: () => utils.addJob("noop", payload),
	submit: (count) => utils.addJobs(Array.from({ length: count }, () => ({ identifier: "noop", payload }))),
	async isEmpty() {
		const { rows } = await pgPool.query("SELECT EXISTS (SELECT FROM graphile_worker._private_jobs) AS some");
		return !rows[0].some;
	},
	// The local queue and batched completion are what its documentation recommends for throughput. Size 1:
	// its defaults, one job at a time for each of the concurrent workers.
	work: (size, done) => run({
		pgPool, logger: quiet, noHandleSignals: true, crontab: "",
		taskList: { noop: () => done(1) },
		preset: {
			worker: size === 1
				? { concurrentJobs: 10 }
				: { concurrentJobs: 24, localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
		},
	}),
});
