CREATE TABLE `metric_tiers` (
	`job_id` text NOT NULL,
	`name` text NOT NULL,
	`tier` integer NOT NULL,
	`number` integer NOT NULL,
	`first` integer NOT NULL,
	`last` integer,
	`count` integer NOT NULL,
	`points` text NOT NULL,
	PRIMARY KEY(`job_id`, `name`, `tier`, `number`)
);
--> statement-breakpoint
CREATE INDEX `metric_tiers_last` ON `metric_tiers` (`job_id`,`last`);--> statement-breakpoint
ALTER TABLE `streams` ADD `tiered` integer DEFAULT 0 NOT NULL;