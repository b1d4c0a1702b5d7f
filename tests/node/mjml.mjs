// The reference MJML: reads a JSON list of documents, writes a JSON list of HTML pages.
import mjml2html from "mjml";

let input = "";
for await (const piece of process.stdin) input += piece;
const pages = [];
for (const source of JSON.parse(input)) {
  const made = await mjml2html(source, { fonts: {}, validationLevel: "skip", keepComments: true });
  pages.push(made.html);
}
process.stdout.write(JSON.stringify(pages));
