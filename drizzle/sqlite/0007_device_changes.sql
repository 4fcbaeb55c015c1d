CREATE TABLE `device_changes` (
	`device_id` text PRIMARY KEY NOT NULL,
	`project_id` text,
	`number` integer NOT NULL,
	`is_online` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `device_changes_number` ON `device_changes` (`number`);