# awk -v name=SYMBOL -f tools/text-embed.awk FILE: a text file as a C string `const char SYMBOL[]`.
BEGIN { printf "extern const char %s[];\nconst char %s[] =\n", name, name }
{
	gsub(/\\/, "&&")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	printf "\t\"%s\\n\"\n", $0
}
END { print "\t\"\";" }
