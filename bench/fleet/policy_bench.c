/* policy_bench [SVG-FILE | WORKERS]: what a day costs, and how long jobs wait, by RGrid's decision,
 * by simple rules, and by an oracle. Prints the table of docs/benchmarks.md, and draws it; given a
 * number, of fleets of up to so many workers alone. Pure simulation, no clock: the same numbers on
 * every machine. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "rules.h"

#define SEED	  7
#define WIDTH	  640
#define HEIGHT	  360
#define LEFT	  70
#define BOTTOM	  310
#define COST_FROM 1.0
#define COST_TO	  12.0
#define WAIT_TO	  160.0

static const uint64_t sizes[] = {10, 100, 1000, 10000};

static void draw_frame(FILE *svg)
{
	(void)fprintf(svg,
		      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
		      "font-family=\"sans-serif\" font-size=\"12\">\n"
		      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		      "<path d=\"M%d 20V%dH620\" fill=\"none\" stroke=\"black\"/>\n"
		      "<text x=\"345\" y=\"350\" text-anchor=\"middle\">cost, times the lower "
		      "bound</text>\n"
		      "<text x=\"16\" y=\"165\" text-anchor=\"middle\" "
		      "transform=\"rotate(-90 16 165)\">mean wait, s</text>\n",
		      WIDTH, HEIGHT, LEFT, BOTTOM);
	for (int cost = 1; cost <= (int)COST_TO; cost++)
		(void)fprintf(svg, "<text x=\"%.0f\" y=\"326\" text-anchor=\"middle\">%d</text>\n",
			      LEFT + (cost - COST_FROM) / (COST_TO - COST_FROM) * 550, cost);
	for (int wait = 0; wait <= (int)WAIT_TO; wait += 40)
		(void)fprintf(svg, "<text x=\"62\" y=\"%.0f\" text-anchor=\"end\">%d</text>\n",
			      BOTTOM + 4 - wait / WAIT_TO * 290, wait);
	for (int i = 0; i < RULES; i++)
		(void)fprintf(svg, "<text x=\"440\" y=\"%d\" fill=\"%s\">%s</text>\n", 36 + 18 * i,
			      rules[i].colour, rules[i].name);
}

static void draw_point(FILE *svg, const struct rule *rule, size_t size,
		       const struct day_result *result)
{
	double cost = result->euros / result->bound_euros;
	double x = LEFT + (cost - COST_FROM) / (COST_TO - COST_FROM) * 550;
	double y = BOTTOM - result->wait_mean_s / WAIT_TO * 290;
	(void)fprintf(svg,
		      "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%zu\" fill=\"%s\" "
		      "fill-opacity=\"0.6\"><title>%s, %llu workers</title></circle>\n",
		      x, y, 3 + 2 * size, rule->colour, rule->name,
		      (unsigned long long)sizes[size]);
}

int main(int argc, char **argv)
{
	uint64_t max = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	bool draws = argc > 1 && max == 0;
	CLEANUP(cleanup_file) FILE *svg = draws ? fopen(argv[1], "we") : NULL;
	if (draws && svg == NULL) {
		perror(argv[1]);
		return 1;
	}
	if (svg != NULL)
		draw_frame(svg);
	printf("| workers at most | jobs | rule | cost, EUR | times the lower bound | mean wait, s "
	       "| "
	       "95 %%, s | servers made |\n|--:|--:|---|--:|--:|--:|--:|--:|\n");
	for (size_t size = 0; size < ARRAY_SIZE(sizes); size++) {
		struct day day;
		if (max != 0 && sizes[size] > max)
			break;
		day_init(&day, sizes[size], SEED);
		for (size_t i = 0; i < RULES; i++) {
			struct day_result result;
			day_restart(&day);
			rules[i].run(&day);
			day_result(&day, &result);
			printf("| %llu | %zu | %s | %.2f | %.2f | %.1f | %.0f | %zu |\n",
			       (unsigned long long)sizes[size], day.job_count, rules[i].name,
			       result.euros, result.euros / result.bound_euros, result.wait_mean_s,
			       result.wait_95_s, result.servers);
			(void)fflush(stdout);
			if (svg != NULL)
				draw_point(svg, &rules[i], size, &result);
		}
		day_release(&day);
	}
	if (svg != NULL)
		(void)fputs("</svg>\n", svg);
	return 0;
}
