// What the measurements of all peers have in common: the database, the payload, processes that work off
// a queue together, and the command line.
import { fork } from "node:child_process";
import { once } from "node:events";
import pg from "pg";

// tests/with-postgres names the database as "host=… user=… dbname=…".
const conninfo = Object.fromEntries(
	process.env.RGRID_TEST_CONNINFO.split(" ").map((pair) => pair.split("=")));
export const database = {
	host: conninfo.host, user: conninfo.user, database: conninfo.dbname,
};

// As large as the specification of a small RGrid job.
export const payload = {
	name: "process.py", runtime: "python",
	script: { name: "process.py", blob: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
	args: ["in.csv"],
	files: [{ path: "in.csv", blob: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752" }],
};

export function connect(max) {
	const pool = new pg.Pool({ ...database, max });
	const fail = (error) => {
		console.error(error.message);
		process.exit(1);
	};
	pool.on("error", fail);
	pool.on("connect", (client) => client.on("error", fail));
	return pool;
}

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Runs `call` again and again in `writers` loops until `times` calls are done.
export async function inParallel(writers, times, call) {
	let left = times;
	await Promise.all(Array.from({ length: writers }, async () => {
		while (left > 0) {
			left -= 1;
			await call();
		}
	}));
}

// Seconds that `count` processes of this program take, from the moment at which all of them are
// connected to the moment at which they have told of `jobs` jobs and isEmpty() is true.
async function timeProcesses(count, jobs, size, isEmpty) {
	const children = Array.from({ length: count }, () => fork(process.argv[1], ["child", jobs, size, count]));
	let done = 0;
	await Promise.all(children.map((child) => once(child, "message")));
	const start = performance.now();
	for (const child of children) {
		child.on("message", (more) => { done += more; });
		child.send("go");
	}
	// Asking the database costs it time, so that is left to the end.
	while (done < jobs || !await isEmpty())
		await pause(2);
	const seconds = (performance.now() - start) / 1000;
	for (const child of children)
		child.kill("SIGKILL");
	await Promise.all(children.map((child) => once(child, "exit")));
	return seconds;
}

// In a child: a function to be told how many jobs more are done, which tells the parent now and then.
function reporter() {
	let untold = 0;
	setInterval(() => {
		if (untold > 0)
			process.send(untold);
		untold = 0;
	}, 5);
	return (more) => { untold += more; };
}

// peer: {prepare(), submit(jobs) for bulk, submitOne(), isEmpty(),
// work(size, done) without end}
export async function main(peer) {
	const [mode, ...numbers] = process.argv.slice(2);
	const [jobs, batch, third] = numbers.map(Number);
	if (mode === "child") {
		await peer.prepare();
		process.send("ready");
		await once(process, "message");
		await peer.work(batch, reporter());
		return;
	}
	await peer.prepare(true);
	if (mode === "insert") {
		const start = performance.now();
		await inParallel(third, Math.floor(jobs / batch), () => (batch === 1 ? peer.submitOne() : peer.submit(batch)));
		console.log(Math.round(Math.floor(jobs / batch) * batch / (performance.now() - start) * 1000));
	} else if (mode === "process") {
		await inParallel(2, Math.ceil(jobs / 1000), () => peer.submit(1000));
		const settle = connect(1);
		await settle.query("VACUUM ANALYZE");
		await settle.query("CHECKPOINT");
		const all = Math.ceil(jobs / 1000) * 1000;
		console.log(Math.round(all / await timeProcesses(third, all, batch, peer.isEmpty)));
	} else {
		console.error("usage: insert JOBS BATCH WRITERS | process JOBS SIZE PROCESSES");
		process.exit(2);
	}
	process.exit(0);
}
