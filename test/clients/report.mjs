// The report that each client delivers.

export const pdf = Buffer.from('%PDF-1.7 a report of the tests').toString('base64');

export const report = (patient) => ({
  resourceType: 'DocumentReference',
  status: 'current',
  docStatus: 'final',
  type: { coding: [{ system: 'http://loinc.org', code: '18748-4' }] },
  subject: { reference: `Patient/${patient}` },
  date: new Date().toISOString(),
  content: [{ attachment: { contentType: 'application/pdf', data: pdf, title: 'CT Chest' } }],
});
