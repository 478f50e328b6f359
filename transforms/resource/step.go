package resource

// Step is one item of a rule: exactly one of its fields is given. The fields
// are the vocabulary of the format, and the type of each implements Operation.
type Step struct {
	Set               *set              `yaml:"set"`
	Default           *preset           `yaml:"default"`
	Drop              *drop             `yaml:"drop"`
	DropIf            *dropIf           `yaml:"dropIf"`
	Trim              *trim             `yaml:"trim"`
	Prefix            *prefix           `yaml:"prefix"`
	Move              *move             `yaml:"move"`
	Copy              *copied           `yaml:"copy"`
	Require           *require          `yaml:"require"`
	CodeMap           *codeMap          `yaml:"code.map"`
	CodingKeepOnly    *keepOnly         `yaml:"coding.keepOnly"`
	TimeEnsure        *timeEnsure       `yaml:"time.ensure"`
	IdentifierSystem  *identifierSystem `yaml:"identifier.system"`
	AbsentDrop        *absentDrop       `yaml:"absent.drop"`
	NameCurrentFirst  *currentFirst     `yaml:"name.currentFirst"`
	PatientMerged     *merged           `yaml:"patient.merged"`
	AttachmentInline  *inline           `yaml:"attachment.inline"`
	ReferenceRelative *relative         `yaml:"reference.relative"`
	IfMatch           *ifMatch          `yaml:"ifMatch.fromVersion"`
}
