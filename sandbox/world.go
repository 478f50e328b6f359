package sandbox

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// How much a hospital has besides its patients.
const (
	practitionerCount = 6
	locationCount     = 4
	appointmentsToday = 24
	encountersToday   = 12
	documentCount     = 6
	manyObservations  = 130 // of the first patient, for several pages; the next few patients have 3
)

// world is what happens at a hospital, before a vendor's form is given to it. Indices name people, places and events.
type world struct {
	seed         int64
	organization string
	now          time.Time
	midnight     time.Time // of today, in the hospital's zone
	patients     []person
	staff        []person
	rooms        []string
	appointments []appointment
	encounters   []encounter
	documents    []document
	observations []observation
}

// person is a patient or practitioner.
type person struct {
	family, given, middle string
	gender                string
	born                  time.Time
	street, city, zip     string
	phone, email          string
	mrn, npi, ssn         string
}

// appointment is a booked examination.
type appointment struct {
	patient, staff, room int
	status               string
	start                time.Time
	minutes              int
	exam                 exam
}

// encounter is a visit, to an appointment of the same day.
type encounter struct {
	appointment int
	patient     int
	staff, room int
	status      string
	start, end  time.Time // end is zero while it lasts
}

// document is a report with a PDF, about an encounter.
type document struct {
	encounter, patient, staff int
	at                        time.Time
	title                     string
}

// observation is a vital sign; value is a JSON number whose digits matter.
type observation struct {
	patient int
	sign    sign
	value   string
	at      time.Time
}

type exam struct{ code, name, reason string }

type sign struct{ loinc, name, unit, ucum string }

var (
	families = []string{
		"Abbott", "Bauer", "Castillo", "Doyle", "Eriksson", "Fontaine", "Garcia", "Hoffmann", "Ivanova", "Jensen", "Kowalski", "Lindqvist",
		"Moreau", "Nakamura", "O'Brien", "Petrov", "Quigley", "Rossi", "Schäfer", "Tanaka", "Underwood", "Varga", "Whitfield", "Xu", "Yilmaz", "Zimmermann",
	}
	women   = []string{"Agnes", "Beatriz", "Chloé", "Dagny", "Elif", "Fiona", "Greta", "Hana", "Ingrid", "Josefa", "Katarina", "Leonor"}
	men     = []string{"Anton", "Bruno", "Cormac", "Dmitri", "Emil", "Felix", "Gustav", "Hiroshi", "Ivo", "Jonas", "Karim", "Lorenzo"}
	streets = []string{"Maple Avenue", "Harbor Street", "Mill Lane", "Station Road", "Orchard Drive", "Chapel Hill"}
	cities  = []string{"Springfield", "Riverton", "Lakewood", "Fairview", "Georgetown"}
	rooms   = []string{"Radiology CT 1", "Radiology MR 1", "Radiology X-Ray 2", "Ultrasound Suite"}
	exams   = []exam{
		{"24627-2", "CT Chest", "Cough for three weeks, exclude pneumonia"},
		{"24590-2", "MR Brain", "Recurrent headache with aura"},
		{"36643-5", "XR Chest 2 views", "Check after pneumothorax"},
		{"24558-9", "US Abdomen", "Upper abdominal pain after meals"},
		{"37362-1", "XR Hand", "Fall on outstretched hand"},
	}
	signs = []sign{
		{"8310-5", "Body temperature", "degF", "[degF]"},
		{"29463-7", "Body weight", "kg", "kg"},
		{"8867-4", "Heart rate", "beats/minute", "/min"},
		{"2708-6", "Oxygen saturation", "%", "%"},
	}
	// values are JSON numbers that a careless reader would change: trailing zeros, exponents, more digits than a float has.
	values = []string{"98.60", "1.0", "1e2", "97", "36.60", "0.10", "72.000", "1.50E+1", "100.0000000000000000001", "-0.0"}
)

// newWorld makes up a hospital from its seed, around its clock.
func newWorld(o Options) *world {
	random := rand.New(rand.NewPCG(uint64(o.Seed), 0x51ab)) //nolint:gosec // synthetic data must be reproducible
	now := o.Now().In(o.TimeZone)
	w := &world{
		seed: o.Seed, organization: organizationName(o), now: now,
		midnight: time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, o.TimeZone), rooms: rooms[:locationCount],
	}
	for n := range o.Patients {
		w.patients = append(w.patients, newPerson(random, n, 0, 95))
	}
	for n := range practitionerCount {
		w.staff = append(w.staff, newPerson(random, n, 30, 65))
	}
	w.plan(random)
	w.examine()
	return w
}

func newPerson(random *rand.Rand, n, youngest, oldest int) person {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	p := person{family: pick(families), gender: "female"}
	names := women
	if random.IntN(2) == 0 {
		p.gender, names = "male", men
	}
	p.given, p.middle = pick(names), pick(names)
	age := youngest + random.IntN(oldest-youngest)
	p.born = time.Date(2026-age, time.Month(1+random.IntN(12)), 1+random.IntN(28), 0, 0, 0, 0, time.UTC)
	p.street = fmt.Sprintf("%d %s", 1+random.IntN(999), pick(streets))
	p.city, p.zip = pick(cities), fmt.Sprintf("%05d", 10_000+random.IntN(80_000))
	p.phone = fmt.Sprintf("+1-555-01%02d", random.IntN(100))
	p.email = fmt.Sprintf("patient%d@example.org", n)
	p.mrn = fmt.Sprintf("%06d", 200_000+n)
	p.npi = fmt.Sprintf("99%08d", n)
	p.ssn = fmt.Sprintf("900-%02d-%04d", n%100, n)
	return p
}

// plan books a few appointments yesterday and tomorrow and a full day today, whose first half has begun.
func (w *world) plan(random *rand.Rand) {
	book := func(day, slot, patient int, status string) {
		at := w.midnight.AddDate(0, 0, day)
		at = time.Date(at.Year(), at.Month(), at.Day(), 8, slot*20, 0, 0, at.Location())
		w.appointments = append(w.appointments, appointment{
			patient: patient, staff: slot % practitionerCount, room: slot % locationCount, status: status, start: at,
			minutes: 20 + 10*random.IntN(2), exam: exams[random.IntN(len(exams))],
		})
	}
	for slot := range appointmentsToday {
		status := "booked"
		switch {
		case slot < encountersToday:
			status = "arrived"
		case slot == appointmentsToday-1:
			status = "cancelled"
		}
		book(0, slot, slot, status)
	}
	for slot := range 3 {
		book(-1, slot, 30+slot, "fulfilled")
	}
	for slot := range 6 {
		book(1, slot, slot, "booked")
	}
	for n, a := range w.appointments[:encountersToday] {
		e := encounter{appointment: n, patient: a.patient, staff: a.staff, room: a.room, status: "in-progress", start: a.start.Add(5 * time.Minute)}
		if n < documentCount {
			e.status, e.end = "finished", a.start.Add(35*time.Minute)
		}
		w.encounters = append(w.encounters, e)
	}
}

// examine writes reports about the finished encounters and measures vital signs.
func (w *world) examine() {
	for n, e := range w.encounters[:documentCount] {
		w.documents = append(w.documents, document{
			encounter: n, patient: e.patient, staff: e.staff, at: e.end, title: w.appointments[e.appointment].exam.name + " report",
		})
	}
	measure := func(patient, count int) {
		for i := range count {
			w.observations = append(w.observations, observation{
				patient: patient, sign: signs[i%len(signs)], value: values[i%len(values)],
				at: w.midnight.Add(-time.Duration(i) * 6 * time.Hour),
			})
		}
	}
	measure(0, manyObservations)
	for patient := 1; patient < 10; patient++ {
		measure(patient, 3)
	}
}
