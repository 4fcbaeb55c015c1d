ALTER TABLE `log_chunks` ADD `first_line` integer;--> statement-breakpoint
ALTER TABLE `steps` ADD `log_counts` text;--> statement-breakpoint
ALTER TABLE `streams` ADD `numbered` integer DEFAULT 0 NOT NULL;