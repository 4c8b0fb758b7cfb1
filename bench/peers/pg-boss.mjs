// pg-boss: jobs are rows with a state; completed ones stay until they are archived.
import { PgBoss } from "pg-boss";
import { connect, database, main, payload } from "./peer.mjs";

const QUEUE = "noop";
const boss = new PgBoss({ ...database, max: 10, supervise: false, schedule: false });
boss.on("error", (error) => {
	console.error(error.message);
	process.exit(1);
});
const pool = connect(1);

async function fetchAndComplete(size, done) {
	for (;;) {
		const jobs = await boss.fetch(QUEUE, { batchSize: size });
		if (jobs.length === 0)
			return;
		await boss.complete(QUEUE, jobs.map((job) => job.id));
		done(jobs.length);
	}
}

main({
	async prepare(first = false) {
		await boss.start();
		if (first)
			await boss.createQueue(QUEUE);
	},
	submitOne: () => boss.send(QUEUE, payload),
	submit: (count) => boss.insert(QUEUE, Array.from({ length: count }, () => ({ data: payload }))),
	async isEmpty() {
		const { rows } = await pool.query(
			"SELECT EXISTS (SELECT FROM pgboss.job WHERE name = $1 AND state < 'completed') AS some", [QUEUE]);
		return !rows[0].some;
	},
	// Several loops, so that one fetches while another completes.
	work: (size, done) => Promise.all(
		Array.from({ length: size === 1 ? 8 : 2 }, () => fetchAndComplete(size, done))),
});
