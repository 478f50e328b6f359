// A mail server that others wrote (npm smtp-server, and mailparser, which reads the
// mails): the portal's tests send to it. It takes mails only after STARTTLS and a
// login, which it offers by one method (PLAIN or LOGIN). It prints its port, and then
// each mail that it has taken as a line of JSON, once the client is gone. At SIGTERM it
// waits for clients that are still there.
//
// usage: node mail-server.mjs PORT KEY_FILE CERT_FILE METHOD USER PASSWORD
// A PORT of 0 is any that is free.
import { readFileSync } from "node:fs";
import { simpleParser } from "mailparser";
import { SMTPServer } from "smtp-server";

const [port, key, cert, method, username, password] = process.argv.slice(2);
const taken = new Map(); // lines by session

const server = new SMTPServer({
  key: readFileSync(key), cert: readFileSync(cert), authMethods: [method],
  onAuth: (auth, _, done) => {
    const right = auth.method === method && auth.username === username && auth.password === password;
    done(right ? null : new Error("wrong name or password"), { user: auth.username });
  },
  onData: async (stream, session, done) => {
    const mail = await simpleParser(stream);
    const headers = {};
    for (const { key, line } of mail.headerLines) {
      (headers[key] ??= []).push(line.slice(line.indexOf(":") + 1).trim());
    }
    const line = JSON.stringify({
      secure: session.secure, user: session.user, sender: session.envelope.mailFrom.address, recipients: session.envelope.rcptTo.map((to) => to.address),
      from: mail.from.text, to: mail.to.text, subject: mail.subject, text: mail.text, html: Boolean(mail.html), attachments: mail.attachments.length, headers,
    });
    taken.set(session.id, [...(taken.get(session.id) ?? []), line]);
    done();
  },
  onClose: (session) => taken.get(session.id)?.forEach((line) => console.log(line)),
});
server.on("error", () => {}); // of a client, which is told and may try again
server.listen(Number(port), "127.0.0.1", () => console.log(server.server.address().port));
process.once("SIGTERM", () => server.close());
