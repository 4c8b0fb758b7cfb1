#!/usr/bin/env node
// Puts the summaries of analyse.sh together: a table of the servers, the paths that fail, and the hours
// in which a server was slower than the others. Writes report.txt and prints it.
//
// usage: report.js SUMMARY.tsv…

const fs = require("fs");
const path = require("path");

function readSummary(file) {
	const rows = fs.readFileSync(file, "utf8").trimEnd().split("\n").map((line) => {
		const [kind, key, requests, errors, bytes, median, p95, p99] = line.split("\t");
		return {
			kind, key, requests: +requests, errors: +errors, bytes: +bytes,
			median: +median, p95: +p95, p99: +p99,
		};
	});
	return { server: path.basename(file, ".summary.tsv"), rows };
}

function table(head, rows) {
	const all = [head, ...rows.map((row) => row.map(String))];
	const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
	return all.map((row) =>
		row.map((cell, column) =>
			column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
		).join("  "),
	);
}

function serverTable(summaries) {
	return table(
		["server", "requests", "errors", "MB", "p50 ms", "p95 ms", "p99 ms"],
		summaries.map(({ server, rows }) => {
			const all = rows.find((row) => row.kind === "all");
			return [server, all.requests, all.errors, (all.bytes / 1e6).toFixed(1),
				all.median, all.p95, all.p99];
		}),
	);
}

function failingPaths(summaries) {
	const paths = new Map();
	for (const { rows } of summaries) {
		for (const row of rows.filter((candidate) => candidate.kind === "path")) {
			const sum = paths.get(row.key) ?? { requests: 0, errors: 0 };
			sum.requests += row.requests;
			sum.errors += row.errors;
			paths.set(row.key, sum);
		}
	}
	return [...paths]
		.filter(([, sum]) => sum.errors > 0)
		.sort(([, a], [, b]) => b.errors - a.errors)
		.map(([key, sum]) =>
			`${key}: ${sum.errors} of ${sum.requests} failed (${(100 * sum.errors / sum.requests).toFixed(1)} %)`);
}

// An hour is slow when its median is more than twice the median of that hour's servers.
function slowHours(summaries) {
	const hours = summaries.flatMap(({ server, rows }) =>
		rows.filter((row) => row.kind === "hour").map((row) => ({ server, ...row })));
	const usual = (key) => {
		const medians = hours.filter((hour) => hour.key === key).map((hour) => hour.median);
		return medians.sort((a, b) => a - b)[Math.floor(medians.length / 2)];
	};
	return hours
		.filter((hour) => hour.median > 2 * usual(hour.key))
		.map((hour) => `${hour.server} at ${hour.key}:00: median ${hour.median} ms, usually ${usual(hour.key)}`);
}

const files = process.argv.slice(2);
if (files.length === 0) {
	console.error("usage: report.js SUMMARY.tsv…");
	process.exit(2);
}
const summaries = files.sort().map(readSummary);
const lines = [
	...serverTable(summaries),
	"", "Failing paths:", ...failingPaths(summaries),
	"", "Slow hours:", ...slowHours(summaries),
];
fs.writeFileSync("report.txt", lines.join("\n") + "\n");
console.log(lines.join("\n"));
