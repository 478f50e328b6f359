// The synthetic patient that each client creates and renames.

export const newPatient = (client) => ({
  resourceType: 'Patient',
  identifier: [{ system: 'https://hospital.example/mrn', value: `from-${client}` }],
  name: [{ family: 'Before', given: ['Test'] }],
  birthDate: '1980-02-29',
});

export const renamed = (patient) => ({ ...patient, name: [{ ...patient.name[0], family: 'After' }] });
