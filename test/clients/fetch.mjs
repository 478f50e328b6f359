// Reads an answer with fetch and prints what became of it: {"status", "bytes"} or {"error"}.
const [url, key] = process.argv.slice(2);
const answer = await fetch(url, { headers: { Authorization: `Bearer ${key}` } });
let bytes = 0;
try {
  for await (const piece of answer.body) bytes += piece.length;
  console.log(JSON.stringify({ status: answer.status, bytes }));
} catch (error) {
  console.log(JSON.stringify({ status: answer.status, bytes, error: String(error.cause ?? error) }));
}
