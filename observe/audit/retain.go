package audit

import "os"

// removeOld removes the files in which all is older than what is kept. The head
// is sealed first: it says from which record on the chain is kept, so that a
// removal that is cut short is no problem.
func (w *writer) removeOld() error {
	found, err := list(w.folder)
	if err != nil {
		return err
	}
	files := found.files[w.head.Node]
	old := 0
	for old+1 < len(files) {
		next := files[old+1]
		first := firstRecord(w.ring, next.path)
		if first == nil || first.Sequence != next.first || w.now().Sub(first.Written) < w.keep {
			break
		}
		old++
		w.head.First, w.head.Previous, w.head.Removed = first.Sequence, first.Previous, w.now().UTC()
	}
	if old == 0 {
		return nil
	}
	if err := w.head.write(w.ring, w.folder, w.now()); err != nil {
		return err
	}
	for _, file := range files[:old] {
		if err := os.Remove(file.path); err != nil {
			return err
		}
	}
	w.log.Info("old audit records were removed", "files", old, "first", w.head.First)
	return syncFolder(w.folder)
}

// firstRecord is the first record in a file, or nil when it can't be read.
func firstRecord(ring *keyring, path string) *Record {
	for line := range scan(ring, path) {
		return line.record
	}
	return nil
}
